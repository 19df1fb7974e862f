import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDatabase } from '../support/postgres.ts';
import { run, startServer, startWorker, type Server, type SpawnOptions } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

/** A runbook that runs a small program with a file's name. */
const runbook = (name: string, program: string, more = '') => `
  ${name}:
    summary: Makes a file
    risk: write
    permission: runbook:${name}
    timeout: 1m
    tries: { max: 3, backoff: 10ms, cap: 10ms }
    bounds: { logLines: 10, outputBytes: 1000 }${more}
    args: { required: [file], properties: { file: { type: string } } }
    executor:
      kind: shell
      argv: [node, -e, ${JSON.stringify(program)}, --, '\${args.file}']
`;
const NOTE = 'require("node:fs").appendFileSync(process.argv[1], "x");';
const CONFIG = `
limits: { perSender: 100000, perChannel: 100000, perWorkspace: 100000 }
runbooks:${runbook('touch', NOTE)}${runbook('render', NOTE, '\n    capability: gpu')}${runbook(
  'patient',
  `${NOTE} setInterval(() => require("node:fs").existsSync(process.argv[1] + ".go") && process.exit(0), 10);`,
)}`;

const databases = [
  ['SQLite', async () => ({})],
  [
    'PostgreSQL',
    async () => {
      const database = await createDatabase();
      onTestFinished(() => database.drop());
      return { SIGNALBOX_DB: database.url };
    },
  ],
] as const satisfies readonly (readonly [string, () => Promise<SpawnOptions['env']>])[];

const soon = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { interval: 20, timeout: 15_000 });

describe.each(databases)('on %s', (_name, database) => {
  const place = async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'signalbox.yaml'), CONFIG);
    return {
      folder,
      env: { SIGNALBOX_ADMIN_TOKEN: 'an-example-token-of-the-administrator', ...(await database()) },
    };
  };
  const stateOf = async (server: Server, job: string): Promise<string> => {
    const shown = (await (await server.fetch(`/v1/jobs/${job}`)).json()) as { state: string };
    return shown.state;
  };
  const ask = async (server: Server, text: string) => {
    const answer = await server.command(text);
    expect(answer.status, await answer.clone().text()).toBe(200);
    return (await answer.json()) as { reply: { text: string; data: { counts: Record<string, object> } } };
  };
  const ready = async (url: string | undefined) => {
    const answer = await fetch(new URL('/readyz', url));
    return { status: answer.status, ...((await answer.json()) as { ok: boolean; checks: object }) };
  };

  test('a worker runs what a server without one is asked for', async () => {
    const at = await place();
    const server = await startServer({ ...at, args: ['--no-worker'] });
    expect(server.out).toContain('It runs no jobs itself');
    // The tour runs nothing that this configuration does not have.
    expect(server.out).not.toContain('job run deploy');
    const file = join(at.folder, 'touched');
    await ask(server, `job run touch --file ${file}`);
    expect(await ready(server.url)).toMatchObject({
      status: 200,
      checks: { queue: 'run elsewhere: 0 workers are alive' },
    });
    expect(await stateOf(server, 'JOB-1')).toBe('queued');
    await ask(server, `job run render --file ${join(at.folder, 'rendered')}`);
    const worker = await startWorker({ ...at, args: ['--health', '0', '--capabilities', 'eu,default'] });
    await soon(async () => expect(await stateOf(server, 'JOB-1')).toBe('succeeded'));
    expect(existsSync(file)).toBe(true);
    expect(await ready(server.url)).toMatchObject({
      ok: true,
      checks: { queue: 'run elsewhere: 1 worker is alive' },
    });
    expect((await ask(server, 'status')).reply.data.counts['workers']).toEqual({ alive: 1 });
    expect(await ready(worker.health)).toMatchObject({ ok: true, checks: { queue: 'ok', channels: {} } });
    expect(await (await fetch(new URL('/healthz', worker.health))).json()).toEqual({ ok: true });
    expect(await (await fetch(new URL('/metrics', worker.health))).text()).toContain('signalbox_');
    expect((await fetch(new URL('/v1/commands', worker.health))).status).toBe(404);
    // It does not offer what that one needs.
    expect(await stateOf(server, 'JOB-2')).toBe('queued');
    expect(await worker.stop()).toMatchObject({ code: 0, err: '' });
    expect((await ask(server, 'status')).reply.data.counts['workers']).toEqual({ alive: 0 });
    expect(await server.stop()).toMatchObject({ code: 0, err: '' });
  }, 40_000);

  test('a server that is held answers, and does nothing by itself', async () => {
    const at = await place();
    const held = await startServer({ ...at, args: ['--hold'] });
    expect(held.out).toContain('Held: ');
    const [queued, scheduled] = [join(at.folder, 'queued'), join(at.folder, 'scheduled')];
    await ask(held, `job run touch --file ${queued}`);
    const at1 = new Date(Date.now() + 1_000).toISOString();
    await ask(held, `schedule add later "job run touch --file ${scheduled}" --at ${at1} --missed one`);
    await soon(() => expect(Date.now()).toBeGreaterThan(Date.parse(at1) + 1_500));
    expect(existsSync(queued) || existsSync(scheduled)).toBe(false);
    expect(await ready(held.url)).toMatchObject({ ok: true });
    expect(await held.stop()).toMatchObject({ code: 0, err: '' });
    await startServer(at);
    await soon(() => expect(existsSync(queued) && existsSync(scheduled)).toBe(true));
  }, 40_000);

  test('a worker that is stopped lets its jobs end within the grace, and gives back the rest', async () => {
    const at = await place();
    const server = await startServer({ ...at, args: ['--no-worker'] });
    const worker = await startWorker({ ...at, args: ['--grace', '1s'] });
    const [quick, stuck] = [join(at.folder, 'quick'), join(at.folder, 'stuck')];
    for (const file of [quick, stuck]) await ask(server, `job run patient --file ${file}`);
    await soon(() => expect([quick, stuck].every((file) => existsSync(file))).toBe(true));
    const stopped = worker.stop();
    writeFileSync(`${quick}.go`, '');
    expect(await stopped).toMatchObject({ code: 0, err: '' });
    expect([await stateOf(server, 'JOB-1'), await stateOf(server, 'JOB-2')]).toEqual(['succeeded', 'queued']);
    writeFileSync(`${stuck}.go`, '');
    await startWorker(at);
    await soon(async () => expect(await stateOf(server, 'JOB-2')).toBe('succeeded'));
  }, 40_000);
});

test.each([
  [['--help'], /^Usage: signalbox/],
  [['token', '--help'], /^Usage: signalbox/],
  [['--version'], /^\d+\.\d+\.\d+/],
])('%j is answered, and nothing is wrong with it', async (args, says) => {
  const folder = tempFolder();
  const ended = await run(args, { folder });
  expect(ended).toMatchObject({ code: 0, err: '' });
  expect(ended.out).toMatch(says);
  expect(existsSync(join(folder, 'signalbox.db'))).toBe(false);
});

describe('what cannot start says why', () => {
  test.each([
    [['worker', '--colour', 'red'], /--colour/],
    [['worker', 'now'], /now/],
    [['start', '--no-workers'], /--no-workers/],
    [['start', 'now'], /now/],
    [['token', '--name', 'ana'], /--name/],
    [['token', 'ana', 'ben'], /token \[NAME\]/],
  ])('usage: %j', async (args, says) => {
    const ended = await run(args, { folder: tempFolder() });
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.err).toMatch(says);
    expect(ended.err).toContain('Usage: signalbox');
  });

  test.each([
    [['--concurrency', '0'], /command line SBX101 --concurrency: .*from 1 to 1000/],
    [['--capabilities', ''], /command line SBX101 --capabilities: .*one capability at least/],
    [['--health', 'x'], /command line SBX101 --health: .*from 0 to 65535/],
  ])('an option that is wrong, by its name: %j', async (options, says) => {
    const ended = await run(['worker', ...options], { folder: tempFolder() });
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toMatch(says);
  });

  test('a database that is not there, or of an older version, which is left as it is', async () => {
    const folder = tempFolder();
    const path = join(folder, 'signalbox.db');
    for (const subcommand of ['worker', 'token']) {
      const ended = await run([subcommand], { folder });
      expect(ended, subcommand).toMatchObject({ code: 1, out: '' });
      expect(ended.err, subcommand).toMatch(/There is no database yet at .*run `signalbox migrate`/);
      expect(existsSync(path)).toBe(false);
    }
    const old = new Sqlite(path);
    old.exec(readFileSync(join(import.meta.dirname, '../../migrations/sqlite/0001.sql'), 'utf8'));
    old.pragma('user_version = 1');
    old.close();
    const before = readFileSync(path);
    for (const subcommand of ['worker', 'token', 'doctor']) {
      const ended = await run([subcommand], { folder });
      expect(ended, subcommand).toMatchObject({ code: 1 });
      expect(ended.out + ended.err, subcommand).toMatch(/has schema 1, .*run `signalbox migrate`/);
      expect(readFileSync(path).equals(before)).toBe(true);
    }
  }, 20_000);

  test('a health port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const folder = tempFolder();
    await run(['migrate'], { folder });
    const ended = await run(['worker', '--health', String(port)], { folder });
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toContain(String(port));
  });
});
