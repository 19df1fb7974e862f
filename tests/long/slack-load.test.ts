import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { SECOND } from '../../src/domain/clock.ts';
import { TEAM } from '../e2e/support/config.ts';
import { Rest } from '../e2e/support/rest.ts';
import { soon } from '../e2e/support/soon.ts';
import { startFakeSlack, type FakeSlack } from '../fakes/slack/index.ts';
import { createDatabase } from '../support/postgres.ts';
import { startServer, type Server } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

type Mode = 'http' | 'socket';

/** Slack waits so long for the answer to a command. */
const WITHIN = 3 * SECOND;
const EVENTS = 'C0EVENTS1';
const PEOPLE = Array.from({ length: 12 }, (_, n) => `U0LOAD${n + 10}`);
const COMMANDS = 200;
const JOBS = 10;
const TASKS = 150;
/** One of so many commands comes twice, with the same trigger id. */
const TWICE = 3;
/** Rounds in which everybody has written something before. */
const WARM = 6;
const TOKEN = 'an-example-token-of-the-administrator';
const SLACK = {
  signingSecret: 'fake-signing-secret',
  botToken: 'xoxb-fake',
  appToken: 'xapp-fake',
  teamId: TEAM,
};

const CONFIG = `
roles: { loader: ['task:*', 'job:*', 'runbook:*'] }
people:
${PEOPLE.map((id) => `  ${id.toLowerCase()}: { roles: [loader], identities: ['slack:${TEAM}/${id}'] }`).join('\n')}
runbooks:
  nothing:
    summary: Does nothing
    risk: write
    permission: runbook:nothing
    timeout: 20s
    tries: { max: 1 }
    bounds: { logLines: 10, outputBytes: 1000 }
    executor: { kind: shell, argv: ['true'] }
`;

interface Command {
  readonly text: string;
  readonly user: string;
  readonly triggerId: string;
}

interface Told extends Command {
  /** What the acknowledgement shows. */
  readonly shown: string;
  readonly milliseconds: number;
}

/** Slack, and servers that it delivers to in turn. */
interface Town {
  readonly slack: FakeSlack;
  readonly admin: Rest;
  /** Milliseconds of processor time that the servers have taken so far. */
  readonly cpu: () => number;
  /** Resolves with the answer; a delivery that is not taken rejects. */
  readonly type: (command: Command) => Promise<Told>;
}

test.each(['http', 'socket'] as const)(
  '200 commands in a second are answered in time by one server over SQLite, Slack over %s',
  async (mode) => expect(await burst(`SQLite, ${mode}`, await alone(mode))).toEqual([]),
);

test.each(['http', 'socket'] as const)(
  '200 commands in a second are answered in time by three servers on PostgreSQL, Slack over %s',
  async (mode) => expect(await burst(`three servers, ${mode}`, await three(mode))).toEqual([]),
);

test('people whom the server has never seen are answered in time, however many come at once', async () => {
  const { slack, type } = await alone('http');
  const crowd = (from: number, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, n) => type(command('status', `U0NEW${from + n}`, from + n))),
    );

  const few = await crowd(100, 30);
  expect(few.filter(({ shown }) => !shown.includes('`link`'))).toEqual([]);

  const many = await crowd(200, 60);
  const put = many.filter(({ shown }) =>
    shown.includes('Slack does not say at present who you are. Try again.'),
  );
  expect(many.filter((told) => !told.shown.includes('`link`') && !put.includes(told))).toEqual([]);
  expect(put).not.toEqual([]);
  report('30 strangers', few);
  report(`60 more, of whom ${put.length} have to ask again`, many);

  // Those who were put off keep no turn from those who ask again.
  await soon(async () => {
    const again = await type(command('status', put[0]?.user ?? '', performance.now()));
    expect(again.shown).toContain('`link`');
  });
  expect(slack.rateLimited).toEqual([]);
});

/** The whole story of a burst; resolves with the calls that were refused for their rate. */
async function burst(name: string, { slack, admin, type, cpu }: Town) {
  // A server that has just begun runs its first commands several times slower than those that follow.
  for (let round = 1; round <= WARM; round += 1)
    await Promise.all(PEOPLE.map((user, n) => type(command('task list', user, COMMANDS * round + n))));
  const { body } = await admin.command(`subscribe task.* --to slack:${EVENTS}`);
  const subscription = String(body.reply?.data['id']);
  const commands = Array.from({ length: COMMANDS }, (_, n) =>
    command(textOf(n), PEOPLE[n % PEOPLE.length] ?? '', n),
  );
  const repeats = commands.filter((_, n) => n % TWICE === 0);
  const deliveries = shuffled([...commands, ...repeats]);

  const before = cpu();
  const told = await Promise.all(
    deliveries.map(async (one, n) => {
      await delay((n * SECOND) / deliveries.length);
      return type(one);
    }),
  );
  report(`${name}, ${cpu() - before} ms of processor time`, told);
  expect(told.filter(({ milliseconds }) => milliseconds >= WITHIN)).toEqual([]);
  expect(told.filter(({ text, shown }) => !isAnswer(text, shown))).toEqual([]);

  // A repeat has the answer of the first delivery, and no effect of its own.
  const answers = Map.groupBy(told, ({ triggerId }) => triggerId);
  for (const given of answers.values()) expect(new Set(given.map(({ shown }) => shown)).size).toBe(1);
  const tasks = await admin.get('/v1/tasks?limit=200');
  const titles = (tasks.body.items ?? []).map((task) => `task create ${String(task['title'])}`);
  const wanted = commands.map(({ text }) => text).filter((text) => text.startsWith('task create'));
  expect(titles.toSorted()).toEqual(wanted.toSorted());
  const jobs = await admin.get('/v1/jobs?limit=200');
  expect(jobs.body.items).toHaveLength(JOBS);

  // The events wait in the outbox: a channel takes one a second, and one more where the one before came late.
  const posted = () => slack.messages.filter(({ channel }) => channel === EVENTS);
  await soon(() => expect(posted().length).toBeGreaterThanOrEqual(4));
  const [first, , , fourth] = posted().map(({ ts }) => Number(ts) * SECOND);
  expect((fourth ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(2 * SECOND - 100);
  expect((fourth ?? 0) - (first ?? 0)).toBeLessThan(6 * SECOND);
  await admin.command(`unsubscribe ${subscription}`);
  return slack.rateLimited;
}

function textOf(n: number): string {
  if (n < JOBS) return 'job run nothing';
  return n < JOBS + TASKS ? `task create title-${n}` : 'task list';
}

const command = (text: string, user: string, n: number): Command => ({
  text,
  user,
  triggerId: `load.${n}`,
});

function isAnswer(text: string, shown: string): boolean {
  if (text.startsWith('task create')) return /TSK-\d+/.test(shown) && shown.includes(text.slice(12));
  return text === 'task list' ? /TSK-\d+|No /.test(shown) : /JOB-\d+/.test(shown);
}

const shuffled = <T>(all: readonly T[]): T[] =>
  all
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);

function report(name: string, told: readonly Told[]): void {
  const times = told.map(({ milliseconds }) => milliseconds).toSorted((a, b) => a - b);
  const at = (part: number) => Math.round(times[Math.ceil(times.length * part) - 1] ?? 0);
  process.stdout.write(
    `${name}: ${times.length} deliveries answered, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms\n`,
  );
}

/** One server with a database file of its own; it has just been started, and has run nothing yet. */
async function alone(mode: Mode): Promise<Town> {
  const { folder, slack, env } = await place(mode);
  const server = await startServer({ folder, env });
  return town(slack, [server]);
}

/** Three on one PostgreSQL. */
async function three(mode: Mode): Promise<Town> {
  const { folder, slack, env } = await place(mode);
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const options = { folder, env: { ...env, SIGNALBOX_DB: database.url } };
  const servers = await Promise.all([1, 2, 3].map(() => startServer(options)));
  return town(slack, servers);
}

async function place(mode: Mode) {
  const folder = tempFolder();
  writeFileSync(join(folder, 'signalbox.yaml'), CONFIG);
  const slack = await startFakeSlack({ ...SLACK, rates: true });
  onTestFinished(async () => {
    await slack.close();
    slack.assertClean();
  });
  const env = {
    SIGNALBOX_ADMIN_TOKEN: TOKEN,
    LOG_LEVEL: 'fatal',
    SLACK_BOT_TOKEN: SLACK.botToken,
    SLACK_TEAM_ID: TEAM,
    SLACK_API_URL: slack.apiUrl,
    ...(mode === 'http'
      ? { SLACK_SIGNING_SECRET: SLACK.signingSecret }
      : { SLACK_APP_TOKEN: SLACK.appToken }),
  };
  return { folder, slack, env };
}

/** Resolves when one of them hears Slack, and over HTTP all of them do. */
async function town(slack: FakeSlack, servers: readonly Server[]): Promise<Town> {
  const urls = servers.map(({ url }) => url);
  await soon(async () => {
    const ready = await Promise.all(urls.map((url) => fetch(`${url}/readyz`)));
    const states = await Promise.all(
      ready.map(async (response) => {
        const { checks } = (await response.json()) as {
          checks: { channels: Record<string, { state: string }> };
        };
        return checks.channels['slack']?.state;
      }),
    );
    expect(states).toContain('on');
    expect(states.filter((state) => state !== 'on' && state !== 'standby')).toEqual([]);
  });
  let turn = 0;
  return {
    slack,
    admin: new Rest(urls[0] ?? '', TOKEN),
    cpu: () => servers.reduce((sum, { pid }) => sum + cpuOf(pid), 0),
    async type(one) {
      // The address is read before anything is awaited: neighbours have addresses of their own.
      slack.pointTo(`${urls[turn++ % urls.length]}/slack/events`);
      const { status, body, milliseconds } = await slack.slashCommand(one.text, {
        ...one,
        channel: 'C0OPS0001',
      });
      expect(status).toBe(200);
      return { ...one, shown: (body as { text?: string } | undefined)?.text ?? '', milliseconds };
    },
  };
}

/** proc_pid_stat(5): fields 14 and 15, in hundredths of a second; 0 where there is no /proc. */
function cpuOf(pid: number): number {
  if (process.platform !== 'linux') return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}
