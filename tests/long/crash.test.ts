import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readJournal } from '../../src/store/sqlite/read-journal.ts';
import { run, type Server } from '../support/spawn.ts';
import { Line, Load, send } from './load.ts';
import { longRun, SHORT } from './server.ts';

const ROUNDS = SHORT ? 4 : 20;
const JOBS = 4;

/** Asks for jobs that leave a trace, under keys that name them; adds those that are acknowledged. */
async function askForJobs(server: Server, file: string, round: number, jobs: Map<string, string>) {
  for (let n = 0; n < JOBS; n += 1) {
    const name = `round-${round}-job-${n}`;
    const answer = await server.command(`job run trace --file ${file} --name ${name}`, name);
    const { reply } = (await answer.json()) as { reply: { data: { id: string } } };
    jobs.set(name, reply.data.id);
  }
}

test(`kill -9 under load, ${ROUNDS} times: all that was acknowledged is there, none twice, the chain verifies`, async () => {
  const world = longRun();
  onTestFinished(world.remove);
  const file = join(world.folder, 'trace');
  const load = new Load();
  const jobs = new Map<string, string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const server = await world.start();
    onTestFinished(async () => void (await server.stop('SIGKILL')));
    await load.retry(server);
    await expectSameAnswers(server, load);
    const until = load.acknowledged + randomInt(20, 1_500);
    /** Never enough: in the middle of what is asked, the askers learn of it by the connection alone. */
    const kill = () => {
      if (load.acknowledged >= until) server.signal('SIGKILL');
      return false;
    };
    const running = askForJobs(server, file, round, jobs).catch(expectGone);
    await load.run(server, kill).catch(expectGone);
    await running;
    expect(await server.ended).toMatchObject({ signal: 'SIGKILL', err: '' });
    expect(await run(['audit', 'verify'], { folder: world.folder })).toMatchObject({ code: 0 });
  }
  const server = await world.start();
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  await load.retry(server);
  await expectJobsToEnd(server);
  expect(await server.stop()).toMatchObject({ code: 0 });
  expectEachOnce(world.database, load);
  expectEachJobOnce(world.database, file, jobs);
  expect(await run(['audit', 'verify'], { folder: world.folder })).toMatchObject({ code: 0 });
});

function expectGone(error: unknown): void {
  expect(String(error)).toMatch(/fetch failed|terminated|other side closed|socket is gone|ECONN|not open/);
}

/** Some of what was acknowledged, again with the same keys, gets the first answers. */
async function expectSameAnswers(server: Server, load: Load): Promise<void> {
  const line = await Line.open(server);
  const before = load.asks.filter((ask) => ask.acknowledged !== undefined);
  const some = before
    .slice(-20)
    .concat(Array.from({ length: 20 }, () => before[randomInt(before.length || 1)] ?? []).flat());
  for (const ask of some) expect(await send(server, line, ask)).toBe(ask.acknowledged);
  await line.close();
}

/** Claims of killed workers run out after 30 s; then the jobs go on. */
async function expectJobsToEnd(server: Server): Promise<void> {
  await vi.waitFor(
    async () => {
      const page = (await (await server.fetch('/v1/jobs?limit=200')).json()) as {
        items: { state: string }[];
      };
      const open = page.items.filter(({ state }) => !['succeeded', 'failed', 'cancelled'].includes(state));
      expect(open).toEqual([]);
    },
    { timeout: 120_000, interval: 250 },
  );
}

function expectEachOnce(database: string, load: Load): void {
  const db = new Database(database, { readonly: true });
  const rows = db.prepare<[], { ref: string; title: string }>('SELECT ref, title FROM tasks').all();
  db.close();
  const asked = load.asks.map(({ acknowledged, title }) => `${acknowledged} ${title}`);
  expect(rows.map(({ ref, title }) => `${ref} ${title}`).toSorted()).toEqual(asked.toSorted());
  const created = [...readJournal(database)].filter(({ event }) => event === 'task.created');
  expect(created.map(({ target }) => target).toSorted()).toEqual(rows.map(({ ref }) => ref).toSorted());
}

/** Each try began once, each job ended once, and no effect came more often than its job was tried. */
function expectEachJobOnce(database: string, file: string, acknowledged: ReadonlyMap<string, string>): void {
  const entries = [...readJournal(database)];
  const of = (event: string) => entries.filter((entry) => entry.event === event);
  const queued = new Map(
    of('job.queued').map(({ target, details }) => [target, (details['args'] as { name: string }).name]),
  );
  for (const [name, id] of acknowledged) expect(queued.get(id)).toBe(name);
  const tries = of('job.started').map(({ target, details }) => `${target} ${Number(details['attempt'])}`);
  expect(new Set(tries).size).toBe(tries.length);
  const ended = [...of('job.succeeded'), ...of('job.failed')].map(({ target }) => target);
  expect(ended.toSorted()).toEqual([...queued.keys()].toSorted());
  const traces = readFileSync(file, 'utf8').split('\n');
  for (const { target, details } of of('job.succeeded')) {
    const seen = traces.filter((trace) => trace === queued.get(target)).length;
    expect(seen).toBeGreaterThanOrEqual(1);
    expect(seen).toBeLessThanOrEqual(Number(details['attempt']));
  }
}
