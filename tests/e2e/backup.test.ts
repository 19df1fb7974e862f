import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { startProxy } from '../support/proxy.ts';
import { launch, run, startServer, type Server } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const TOKEN = 'example-token-of-an-administrator-1';

/** Opens tasks on four lanes until it is stopped; what was acknowledged, by key. */
class Openings {
  readonly acknowledged = new Map<string, string>();
  readonly #lanes: Promise<void>[];
  #stopped = false;

  constructor(server: Server) {
    this.#lanes = [1, 2, 3, 4].map((lane) => this.#run(server, lane));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }

  async #run(server: Server, lane: number): Promise<void> {
    for (let n = 1; !this.#stopped; n += 1) {
      const key = `lane-${lane}-${n}`;
      this.acknowledged.set(key, await opened(await server.command(`task create "${key}"`, key)));
    }
  }
}

async function opened(response: Response): Promise<string> {
  const { reply } = (await response.json()) as { reply?: { data?: { id?: string } } };
  return reply?.data?.id ?? `status ${response.status}`;
}

const numberOf = (ref: string) => Number(ref.replace('TSK-', ''));

/** Where a new and empty database may be made. */
const PLACES = {
  SQLite: async () => join(tempFolder(), 'signalbox.db'),
  PostgreSQL: async () => (await emptyDatabase()).url,
} as const;

async function emptyDatabase(): Promise<TestDatabase> {
  const database = await createDatabase({ empty: true });
  onTestFinished(() => database.drop());
  return database;
}

test.each([
  ['SQLite', 'SQLite'],
  ['PostgreSQL', 'PostgreSQL'],
  ['SQLite', 'PostgreSQL'],
] as const)(
  'a backup of a busy server on %s is whole, and one on what is restored into %s goes on',
  async (from, to) => {
    const folder = tempFolder();
    const env = { SIGNALBOX_ADMIN_TOKEN: TOKEN, SIGNALBOX_DB: await PLACES[from]() };
    const server = await startServer({ folder, env });
    const openings = new Openings(server);
    await vi.waitFor(() => expect(openings.acknowledged.size).toBeGreaterThan(50), 10_000);

    const before = new Map(openings.acknowledged);
    const backup = await run(['backup', 'backup.db'], { folder, env });
    expect(backup).toMatchObject({ code: 0, err: '' });
    expect(backup.out).toMatch(/✓ main: \d+ entries hold on both sides, the last is [0-9a-f]{64}\n/);
    expect(statSync(join(folder, 'backup.db')).mode & 0o777).toBe(0o600);
    const during = openings.acknowledged.size;
    await vi.waitFor(() => expect(openings.acknowledged.size).toBeGreaterThan(during), 10_000);
    await openings.stop();
    await server.stop('SIGKILL');

    const copied = { folder, env: { ...env, SIGNALBOX_DB: await PLACES[to]() } };
    const restore = await run(['restore', 'backup.db'], copied);
    expect(restore).toMatchObject({ code: 0, err: '' });
    const summary = /main: (\d+) entries .* is ([0-9a-f]{64})/;
    expect(summary.exec(restore.out)?.slice(1)).toEqual(summary.exec(backup.out)?.slice(1));
    expect(await run(['audit', 'verify'], copied)).toMatchObject({ code: 0 });
    expect(await run(['restore', 'backup.db'], copied)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/is there already|is not empty/),
    });

    const again = await startServer(copied);
    const last = Number(/tasks (\d+)/.exec(restore.out)?.[1]);
    // What was acknowledged before the backup is in it, and a repeat gets the first answer again.
    for (const [key, ref] of [...before].slice(-5)) {
      expect(numberOf(ref)).toBeLessThanOrEqual(last);
      expect(await opened(await again.command(`task create "${key}"`, key))).toBe(ref);
    }
    expect(await opened(await again.command('task create "After the restore"'))).toBe(`TSK-${last + 1}`);
    expect(await again.stop()).toMatchObject({ code: 0 });
  },
  60_000,
);

test('what cannot be backed up or restored is said, with nothing made', async () => {
  const folder = tempFolder();
  const said = async (args: readonly string[]) => {
    const { code, out, err } = await run(args, { folder });
    return `${code} ${out}${err}`;
  };
  expect(await said(['backup'])).toMatch(/^2 Usage: signalbox/);
  expect(await said(['backup', '--force', 'x'])).toMatch(/^2 Usage: signalbox/);
  expect(await said(['backup', 'x'])).toBe(`1 ✗ There is no database at ${join(folder, 'signalbox.db')}.\n`);
  expect(await said(['restore', 'x'])).toBe(`1 ✗ There is no database at ${join(folder, 'x')}.\n`);
}, 30_000);

test.each(['SIGINT', 'SIGTERM'] as const)(
  'a backup that %s interrupts leaves nothing behind',
  async (signal) => {
    const database = await createDatabase();
    const proxy = await startProxy(database.url);
    onTestFinished(async () => {
      await proxy.close();
      await database.drop();
    });
    const folder = tempFolder();
    // In the middle of it the database falls silent, so that it cannot end by itself.
    await database.sql(`INSERT INTO workspaces (name) VALUES ('main')`);
    proxy.cutAt('FROM "counters"', 'silent');
    const backup = launch(['backup', 'backup.db'], { folder, env: { SIGNALBOX_DB: proxy.url } });
    await vi.waitFor(() => expect(readdirSync(folder).join()).toMatch(/^backup\.db\.\d+\.partial/), 10_000);
    expect(await backup.stop(signal)).toMatchObject({ signal, err: '' });
    expect(readdirSync(folder)).toEqual([]);
  },
  30_000,
);
