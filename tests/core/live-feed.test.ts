import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Feed, LogLine } from '../../src/core/feed.ts';
import { createFeed } from '../../src/core/live-feed.ts';
import { jobLogs } from '../../src/domain/job.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let h: Harness;
let feed: Feed;
beforeEach(async () => {
  h = await createHarness();
  feed = createFeed(h.store);
});
afterEach(() => h.close());

const cursors = new Map<string, number>();
const write = (job: string, line: string, workspace = 'main') =>
  h.store.transaction(workspace, async (tx) => {
    const cursor = (cursors.get(job) ?? 0) + 1;
    cursors.set(job, cursor);
    const id = String(await tx.next('log')).padStart(15, '0');
    await tx.insert(jobLogs, { id, job, cursor, stream: 'out', line, at: tx.now });
  });
const text = (lines: readonly LogLine[]) => lines.map(({ job, line }) => `${job} ${line}`);
const soon = (check: () => void) => vi.waitFor(check, { interval: 2, timeout: 2_000 });

describe('entries', () => {
  test('are told after their commit, in sequence, each once, to everybody of the workspace', async () => {
    const heard: number[][] = [[], []];
    const off = heard.map((list) => feed.onEntry('main', (entry) => list.push(entry.seq)));
    feed.onEntry('other', () => heard.push([0]));
    await Promise.all(['one', 'two', 'three'].map((title) => h.run('ana', `task create ${title}`)));
    off[1]?.();
    await h.run('ana', 'task create four');
    const all = (await h.entries()).slice(1).map((e) => e.seq);
    expect(heard).toEqual([all, all.slice(0, -2)]);
  });

  test('are read again from history, from any point', async () => {
    await h.run('ana', 'task create one');
    const head = await feed.head('main');
    expect((await feed.history('main', head - 1, 9)).map((e) => e.seq)).toEqual([head]);
    expect(await feed.history('other', 0, 9)).toEqual([]);
    expect(await feed.head('other')).toBe(0);
  });
});

test('one that listens and fails keeps nothing from the others, and is reported', async () => {
  const reported: unknown[] = [];
  const own = createFeed(h.store, (error) => reported.push(error));
  const heard: string[] = [];
  own.onEntry('main', () => {
    throw new Error('entries broke');
  });
  own.onLog('main', () => {
    throw new Error('lines broke');
  });
  own.onEntry('main', (entry) => heard.push(entry.event));
  own.onLog('main', ({ line }) => heard.push(line));
  await h.run('ana', 'task create one');
  await write('JOB-7', 'hello');
  await soon(() => expect(heard).toEqual(['command.accepted', 'task.created', 'hello']));
  expect(reported.map(String)).toEqual([
    'Error: entries broke',
    'Error: entries broke',
    'Error: lines broke',
  ]);
});

test('a job’s end is told after its last lines, however many were written just before', async () => {
  const LINES = 3_000;
  let lines = 0;
  feed.onLog('main', () => (lines += 1));
  await write('JOB-8', 'begun');
  await soon(() => expect(lines).toBe(1));
  const told = new Map<string, number>();
  feed.onEntry('main', ({ event }) => told.set(event, lines));
  await h.store.transaction('main', async (tx) => {
    for (let n = 1; n <= LINES; n += 1) {
      const id = String(await tx.next('log')).padStart(15, '0');
      await tx.insert(jobLogs, { id, job: 'JOB-8', cursor: n + 1, stream: 'out', line: 'x', at: tx.now });
    }
  });
  await h.run('ana', 'task create after');
  await soon(() => expect(told.get('task.created')).toBe(LINES + 1));
});

describe('log lines', () => {
  beforeEach(() => cursors.clear());

  test('come to whoever watches, in order, from then on, each once', async () => {
    await write('JOB-1', 'before');
    const heard: LogLine[][] = [[], []];
    for (const list of heard) feed.onLog('main', (line) => list.push(line));
    for (let n = 1; n <= 20; n += 1) await write(n % 2 ? 'JOB-1' : 'JOB-2', String(n));
    await soon(() => expect(heard[0]).toHaveLength(20));
    expect(heard[0]?.map((l) => l.line)).toEqual(Array.from({ length: 20 }, (_, n) => String(n + 1)));
    expect(heard[0]?.filter((l) => l.job === 'JOB-2').map((l) => l.cursor)).toEqual(
      [...Array(10).keys()].map((n) => n + 1),
    );
    expect(heard[1]).toEqual(heard[0]);
  });

  test('of more than a page at once all come', async () => {
    const heard: LogLine[] = [];
    feed.onLog('main', (line) => heard.push(line));
    await write('JOB-1', 'first');
    await h.store.transaction('main', async (tx) => {
      for (let n = 2; n <= 1_201; n += 1) {
        const id = String(await tx.next('log')).padStart(15, '0');
        await tx.insert(jobLogs, { id, job: 'JOB-1', cursor: n, stream: 'out', line: String(n), at: tx.now });
      }
    });
    await soon(() => expect(heard).toHaveLength(1_201));
    expect(heard.at(-1)?.cursor).toBe(1_201);
  });

  test('go to nobody else: not to who left, not to another workspace', async () => {
    const heard: LogLine[] = [];
    const other: LogLine[] = [];
    const off = feed.onLog('main', (line) => heard.push(line));
    feed.onLog('other', (line) => other.push(line));
    await write('JOB-1', 'one');
    await soon(() => expect(heard).toHaveLength(1));
    off();
    await write('JOB-1', 'two');
    const again: LogLine[] = [];
    feed.onLog('main', (line) => again.push(line));
    await write('JOB-1', 'three');
    await soon(() => expect(text(again)).toContain('JOB-1 three'));
    expect(text(heard)).toEqual(['JOB-1 one']);
    expect(other).toEqual([]);
  });

  test('are read again from their cursor', async () => {
    for (const line of ['a', 'b', 'c']) await write('JOB-1', line);
    await write('JOB-2', 'x');
    expect(await feed.logs('main', 'JOB-1', 1, 1)).toEqual([
      { job: 'JOB-1', cursor: 2, stream: 'out', line: 'b' },
    ]);
    expect(await feed.logs('other', 'JOB-1', 0, 9)).toEqual([]);
  });

  test('survive a database that is away for a moment', async () => {
    const heard: LogLine[] = [];
    feed.onLog('main', (line) => heard.push(line));
    await write('JOB-1', 'one');
    await soon(() => expect(heard).toHaveLength(1));
    const broken = vi.spyOn(h.store, 'read').mockRejectedValueOnce(new Error('away'));
    const { transaction } = Object.getPrototypeOf(h.store) as typeof h.store;
    await transaction.call(h.store, 'main', async (tx) => {
      const id = String(await tx.next('log')).padStart(15, '0');
      return tx.insert(jobLogs, { id, job: 'JOB-1', cursor: 2, stream: 'out', line: 'two', at: tx.now });
    });
    await soon(() => expect(broken).toHaveBeenCalled());
    await write('JOB-9', 'three');
    await soon(() => expect(text(heard)).toEqual(['JOB-1 one', 'JOB-1 two', 'JOB-9 three']));
  });
});
