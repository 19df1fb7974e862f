import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startApp, type App } from '../../src/app.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startFakeSlack, type FakeSlack } from '../fakes/slack/index.ts';
import { createDatabase } from '../support/postgres.ts';
import { tempFolder } from '../support/temp.ts';
import { configuration, TEAM } from './support/config.ts';
import { Rest } from './support/rest.ts';
import { soon } from './support/soon.ts';
import { startTarget } from './support/target.ts';

const ANA = 'U0ANA';
const BEN = 'U0BEN';
const SLACK = {
  signingSecret: 'fake-signing-secret',
  botToken: 'xoxb-fake',
  appToken: 'xapp-fake',
  teamId: TEAM,
};

describe.each([
  ['http', 'sqlite'],
  ['socket', 'postgres'],
] as const)('with Slack over %s, on %s', (mode, database) => {
  test('a Home is right at each step, and after a restart', async () => {
    const { slack, target, begin } = await place(mode, database);
    let app = await begin();
    const admin = new Rest(app.url, app.adminToken ?? '');
    const cho = new Rest(app.url, await keyOf(admin, 'cho'));
    const says = async (user: string, ...texts: string[]) =>
      soon(() => {
        const shown = JSON.stringify(slack.home(user)?.blocks ?? []);
        for (const text of texts) expect(shown).toContain(text);
      });
    const type = (user: string, text: string) => slack.slashCommand(text, { user, channel: 'C0OPS0001' });

    await slack.openHome(ANA);
    await slack.openHome(BEN);
    await says(ANA, 'No open task is yours.', 'No job is running.', 'web [unknown]');
    await says(BEN, 'Nothing waits for your vote.');

    slack.addUser({ id: 'U0GUEST', isRestricted: true });
    await slack.openHome('U0GUEST');
    await says('U0GUEST', 'Guests are known once an administrator names them');
    await slack.openHome('U0NEW');
    await says('U0NEW', 'Send `link` here for a code');

    await admin.command('task create "Rotate the key" --priority P1 --owner ana');
    await says(ANA, 'TSK-1 [P1 queued] Rotate the key');

    await type(ANA, 'job run deploy --env staging');
    await says(ANA, 'APR-1 · ana asks:', 'job run deploy --env staging', 'approved by nobody yet (needs 2)');
    await says(BEN, 'APR-1 · ana asks:', 'job run deploy --env staging', 'JOB-1 [waiting] deploy');

    await type(BEN, 'approve APR-1');
    await says(BEN, 'Nothing waits for your vote.');
    await says(ANA, 'approved by ben (needs 2)');

    await cho.command('approve APR-1');
    await says(ANA, 'Nothing of yours waits for approval.', 'JOB-1 [running] deploy');
    target.open();
    await says(ANA, 'No job is running.');
    await says(BEN, 'No job is running.');

    await admin.command('probe run web');
    await says(ANA, 'web [ok] The web answers');

    await app.stop();
    app = await begin();
    const published = slack.requests.filter(({ method }) => method === 'views.publish').length;
    const again = new Rest(app.url, admin.key);
    await again.command('task move TSK-1 in_progress');
    await says(ANA, 'TSK-1 [P1 in_progress] Rotate the key', 'web [ok] The web answers');
    expect(slack.requests.filter(({ method }) => method === 'views.publish').length).toBeGreaterThan(
      published,
    );
  }, 60_000);
});

const keyOf = async (admin: Rest, name: string): Promise<string> => {
  const { body } = await admin.command(`key create cli --for ${name}`);
  return String(body.reply?.data['key']);
};

/** Slack, a database, what the deployment waits for, and how a server begins among them. */
async function place(mode: 'http' | 'socket', database: 'sqlite' | 'postgres') {
  const folder = tempFolder();
  const server = database === 'postgres' ? await createDatabase() : undefined;
  onTestFinished(() => server?.drop());
  const [slack, target] = await Promise.all([startFakeSlack(SLACK), startTarget()]);
  onTestFinished(async () => {
    await Promise.all([slack.close(), target.close()]);
    slack.assertClean();
  });
  const receipts = join(folder, 'deployments');
  writeFileSync(receipts, '');
  writeFileSync(join(folder, 'signalbox.yaml'), configuration({ receipts, target: target.url }));
  const env = {
    SLACK_BOT_TOKEN: SLACK.botToken,
    SLACK_TEAM_ID: TEAM,
    SLACK_API_URL: slack.apiUrl,
    ...(mode === 'http'
      ? { SLACK_SIGNING_SECRET: SLACK.signingSecret }
      : { SLACK_APP_TOKEN: SLACK.appToken }),
    PATH: process.env['PATH'],
    PORT: '0',
    ...(server && { SIGNALBOX_DB: server.url }),
  };
  const begin = async (): Promise<App> => {
    const config = await loadConfig({ env, cwd: folder });
    const app = await startApp(config, { log: pino({ level: 'silent' }), slack: { homeEvery: 100 } });
    onTestFinished(() => app.stop());
    if (mode === 'http') slack.pointTo(`${app.url}/slack/events`);
    await soon(() => hearing(app, slack));
    return app;
  };
  return { slack, target, begin };
}

/** @throws Error while Slack is not heard. */
function hearing(app: App, slack: FakeSlack): void {
  const state = app.channels().find(({ name }) => name === 'slack')?.health.state;
  if (state !== 'on') throw new Error(`Slack is ${state}, ${slack.url}`);
}
