import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { startApp, type App } from '../../../src/app.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { dovecotMissing } from '../../fakes/dovecot.ts';
import { startFakeSlack, type FakeSlack } from '../../fakes/slack/index.ts';
import { createDatabase } from '../../support/postgres.ts';
import { tempFolder } from '../../support/temp.ts';
import { configuration, TEAM } from './config.ts';
import { Mailroom } from './mailroom.ts';
import { Rest, type Response } from './rest.ts';
import { Desk } from './socket.ts';
import { soon } from './soon.ts';
import { startTarget, type Target } from './target.ts';

export type SlackMode = 'http' | 'socket';

/** A real Signalbox on a port and a database of its own, with everybody around it. */
export interface World {
  readonly app: App;
  readonly slack: FakeSlack;
  /** Undefined where no Dovecot can be had. */
  readonly mail: Mailroom | undefined;
  readonly target: Target;
  readonly admin: Rest;
  readonly folder: string;
  /** The database file; undefined on PostgreSQL. */
  readonly database: string | undefined;
  /** One line for each time that the deployment ran. */
  readonly deployments: () => string[];
  /** A key of somebody's, as the administrator hands it out. */
  readonly keyOf: (name: string, label: string) => Promise<string>;
  readonly desk: (key: string) => Promise<Desk>;
  /** Stops Signalbox, and starts it again on what it left, at another address. */
  readonly restart: () => Promise<void>;
  /** A signed delivery of GitHub's. */
  readonly github: (event: string, delivery: string, payload: object) => Promise<Response>;
}

export const noMail = dovecotMissing();

const SLACK = {
  signingSecret: 'fake-signing-secret',
  botToken: 'xoxb-fake',
  appToken: 'xapp-fake',
  teamId: TEAM,
};
const WEBHOOK_SECRET = 'fake-webhook-secret';

/** What plays no part in a story is left out. */
interface Parts {
  readonly mail?: boolean;
}

export async function startWorld(
  mode: SlackMode,
  on: 'sqlite' | 'postgres' = 'sqlite',
  { mail: withMail = true }: Parts = {},
): Promise<World> {
  const folder = tempFolder();
  const server = on === 'postgres' ? await createDatabase() : undefined;
  onTestFinished(() => server?.drop());
  const [slack, target, mail] = await Promise.all([
    startFakeSlack(SLACK),
    startTarget(),
    withMail && noMail === undefined ? Mailroom.open() : undefined,
  ]);
  onTestFinished(async () => {
    await Promise.all([slack.close(), target.close(), mail?.close()]);
    slack.assertClean();
  });
  const receipts = join(folder, 'deployments');
  writeFileSync(receipts, '');
  writeFileSync(join(folder, 'signalbox.yaml'), configuration({ receipts, target: target.url }));
  const env = {
    ...slackEnv(mode, slack),
    ...(await mail?.env(folder)),
    GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET,
    PATH: process.env['PATH'],
    PORT: '0',
    ...(server && { SIGNALBOX_DB: server.url }),
  };
  const config = await loadConfig({ env, cwd: folder });
  const start = async () => {
    const started = await startApp(config, {
      log: pino({ level: 'silent' }),
      // A Home that is looked at is right within a moment.
      slack: { homeEvery: 100 },
      ...(mail && { mail: mail.overrides }),
    });
    if (mode === 'http') slack.pointTo(`${started.url}/slack/events`);
    await soon(() => allOn(started));
    return started;
  };
  let app = await start();
  onTestFinished(() => app.stop());
  const token = app.adminToken ?? '';
  const world: World = {
    get app() {
      return app;
    },
    slack,
    mail,
    target,
    get admin() {
      return new Rest(app.url, token);
    },
    folder,
    database: server ? undefined : join(folder, 'data/signalbox.db'),
    deployments: () => readFileSync(receipts, 'utf8').split('\n').filter(Boolean),
    keyOf: async (name, label) => {
      const { body } = await world.admin.command(`key create ${label} --for ${name}`);
      return String(body.reply?.data['key']);
    },
    desk: (key) => Desk.open(app.url, key),
    restart: async () => {
      await app.stop();
      app = await start();
    },
    github: (event, delivery, payload) => postWebhook(app.url, event, delivery, JSON.stringify(payload)),
  };
  return world;
}

function slackEnv(mode: SlackMode, { apiUrl }: FakeSlack): Record<string, string> {
  const proof: Record<string, string> =
    mode === 'http' ? { SLACK_SIGNING_SECRET: SLACK.signingSecret } : { SLACK_APP_TOKEN: SLACK.appToken };
  return { SLACK_BOT_TOKEN: SLACK.botToken, SLACK_TEAM_ID: TEAM, SLACK_API_URL: apiUrl, ...proof };
}

/** @throws Error naming the channels that do not hear yet. */
function allOn(app: App): void {
  const deaf = app.channels().filter(({ health }) => health.state === 'deaf');
  if (deaf.length > 0) throw new Error(`not on: ${JSON.stringify(deaf)}`);
}

async function postWebhook(url: string, event: string, delivery: string, body: string): Promise<Response> {
  const digest = createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex');
  const response = await fetch(`${url}/webhooks/github`, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': delivery,
      'x-hub-signature-256': `sha256=${digest}`,
    },
  });
  return { status: response.status, body: (await response.json()) as Response['body'] };
}
