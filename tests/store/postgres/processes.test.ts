import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { claim } from '../../../src/core/jobs/claiming.ts';
import { createAdmission } from '../../../src/core/limits.ts';
import { verifyChains } from '../../../src/domain/chains.ts';
import { jobs } from '../../../src/domain/job.ts';
import { leases } from '../../../src/domain/records.ts';
import { tasks } from '../../../src/domain/task.ts';
import { openPostgres, type PostgresStore } from '../../../src/store/postgres/store.ts';
import { readJournal } from '../../../src/store/postgres/read-journal.ts';
import { event, newTask } from '../../contract/store.ts';
import { identity } from '../../core/support.ts';
import { createHarness, testCatalog, type Harness } from '../../support/harness.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(() => database.drop());

const opened = (many: number): Promise<PostgresStore[]> =>
  Promise.all(Array.from({ length: many }, () => openPostgres({ url: database.url })));
const closed = (stores: readonly { close(): Promise<void> }[]) => Promise.all(stores.map((s) => s.close()));

describe('16 writers on 4 stores', () => {
  const WRITERS = 16;
  const EACH = 25;

  test('leave one chain without a hole, and every store tells each entry once and in order', async () => {
    const stores = await opened(4);
    const heard = stores.map((store) => {
      const seqs: number[] = [];
      store.onCommit(({ entries }) => seqs.push(...entries.map(({ seq }) => seq)));
      return seqs;
    });
    const writer = async (n: number) => {
      const store = stores[n % stores.length];
      for (let i = 0; i < EACH; i += 1)
        await store?.transaction('w', async (tx) => {
          const number = await tx.next('TSK');
          await tx.insert(tasks, newTask(`t${number}`));
          await tx.append(event('task.created', { writer: n, i, number }));
        });
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, n) => writer(n)));
    const all = Array.from({ length: WRITERS * EACH }, (_, i) => i + 1);
    await vi.waitFor(() => expect(heard).toEqual(stores.map(() => all)), { timeout: 10_000 });
    const { chains, fault } = await verifyChains(readJournal(database.url));
    expect(fault).toBeUndefined();
    expect(chains.get('w')?.seq).toBe(all.length);
    const entries = await stores[0]?.history('w', 0, 1_000);
    expect(entries?.map(({ details }) => details['number'])).toEqual(all);
    expect(await stores[1]?.read('w', (tx) => tx.count(tasks))).toBe(all.length);
    await closed(stores);
  });
});

describe('two stores', () => {
  test('what one commits without an entry is told by the other as a change of just those tables', async () => {
    const [ours, other] = (await opened(2)) as [PostgresStore, PostgresStore];
    await ours.transaction('w', (tx) => tx.append(event('first')));
    const tables: string[] = [];
    ours.onCommit((commit) => {
      expect(commit.entries).toEqual([]);
      tables.push(...commit.tables);
    });
    await other.transaction('w', (tx) =>
      tx.insert(leases, { id: 'l', holder: 'x', fence: 1, expiresAt: new Date(0) }),
    );
    await vi.waitFor(() => expect(tables).toEqual(['leases']), { timeout: 5_000 });
    await closed([ours, other]);
  });

  test('a commit of the other one is heard within a moment, without waiting for a look', async () => {
    const [ours, other] = (await opened(2)) as [PostgresStore, PostgresStore];
    const heard: Promise<number>[] = [];
    for (let i = 0; i < 5; i += 1) {
      const { promise, resolve } = Promise.withResolvers<number>();
      const stop = ours.onCommit(({ entries }) => entries.length > 0 && resolve(performance.now()));
      await other.transaction('w', (tx) => tx.append(event('theirs')));
      const committed = performance.now();
      heard.push(promise.then((at) => at - committed));
      await promise;
      stop();
    }
    const waits = (await Promise.all(heard)).toSorted((a, b) => a - b);
    // Looks by themselves come each second.
    expect(waits[2]).toBeLessThan(300);
    await closed([ours, other]);
  });

  test('a listener that fails is reported, and the others hear all the same', async () => {
    const reported: unknown[] = [];
    const store = await openPostgres({ url: database.url, report: (error) => reported.push(error) });
    const heard: string[] = [];
    store.onCommit(() => {
      throw new Error('a listener');
    });
    store.onCommit(({ entries }) => heard.push(...entries.map((e) => e.event)));
    await store.transaction('w', (tx) => tx.append(event('one')));
    expect(heard).toEqual(['one']);
    expect(reported).toEqual([new Error('a listener')]);
    await store.close();
  });

  test('an entry that cannot be read is reported, and later ones are told', async () => {
    const reported: unknown[] = [];
    const ours = await openPostgres({ url: database.url, report: (error) => reported.push(error) });
    const other = await openPostgres({ url: database.url });
    await ours.transaction('w', (tx) => tx.append(event('first')));
    const heard: number[] = [];
    ours.onCommit(({ entries }) => heard.push(...entries.map(({ seq }) => seq)));
    const columns = 'id, version, at, event, actor, target, correlation_id, cause';
    const rest = 'salt, commitment, previous, hash';
    await database.sql(
      `WITH spoilt AS (
         INSERT INTO journal (workspace, seq, ${columns}, details, ${rest})
         SELECT workspace, seq + 1, ${columns}, '{no JSON', ${rest} FROM journal WHERE seq = 1
       ) UPDATE chains SET seq = 2, revisions = '{"journal":9}'`,
    );
    await vi.waitFor(() => expect(reported).toHaveLength(1), { timeout: 5_000 });
    await other.transaction('w', (tx) => tx.append(event('third')));
    await ours.transaction('w', (tx) => tx.append(event('fourth')));
    await vi.waitFor(() => expect(heard).toEqual([3, 4]), { timeout: 5_000 });
    await expect(verifyChains(readJournal(database.url))).rejects.toThrow('w: entry 2 is broken');
    await closed([ours, other]);
  });

  test('count incoming messages together', async () => {
    const [one, two] = (await opened(2)) as [PostgresStore, PostgresStore];
    const limits = { perSender: 10, perChannel: 1_000, perWorkspace: 1_000, heartbeats: 1_000 };
    const [here, there] = [one, two].map((store) =>
      createAdmission(limits, () => undefined, undefined, store.counts),
    );
    const ana = identity('key', 'ana');
    const send = async (to: typeof here, many: number) => {
      for (let i = 0; i < many; i += 1) await to?.admit('rest', ana);
    };
    await send(here, 6);
    await send(there, 4);
    for (const admission of [here, there])
      await vi.waitFor(
        () =>
          expect(admission?.admit('rest', ana)).rejects.toMatchObject({
            code: 'rate_limited',
            message: expect.stringContaining('(10 a minute)'),
          }),
        { timeout: 5_000, interval: 200 },
      );
    await here?.admit('rest', identity('key', 'ben'));
    await closed([one, two]);
  });
});

describe('two servers', () => {
  let one: Harness;
  let two: Harness;
  beforeEach(async () => {
    const open = (_path: string, clock: { now(): Date }) => openPostgres({ url: database.url, clock });
    one = await createHarness({}, [], open);
    two = await createHarness({}, [], open);
  });
  afterEach(() => closed([one, two]));

  test('two last votes at once: one decides, the other finds it decided, and the job is queued once', async () => {
    await one.run('ana', 'job run deploy --env staging');
    const votes = await Promise.all([one.run('ben', 'approve APR-1'), two.run('cho', 'approve APR-1')]);
    expect(votes.map(({ status }) => status)).toEqual(['ok', 'ok']);
    const queued = (await one.entries()).filter(({ event: name }) => name === 'job.queued');
    expect(queued).toHaveLength(1);
    expect(votes.filter(({ reply }) => /is queued/.test(reply.text))).toHaveLength(1);
  });

  test('two same keys at once: one effect, and the same answer for both', async () => {
    const create = (h: Harness) => h.run('ana', 'task create "Fix login"', { dedupeKey: 'k-1' });
    const answers = await Promise.all([create(one), create(two)]);
    expect(answers[0]?.reply).toEqual(answers[1]?.reply);
    expect(answers[0]?.id).toBe(answers[1]?.id);
    expect(await one.store.read('main', (tx) => tx.count(tasks))).toBe(1);
  });

  test('the same key at once with two contents: one is refused', async () => {
    const answers = await Promise.all([
      one.run('ana', 'task create one', { dedupeKey: 'k-1' }),
      two.run('ana', 'task create two', { dedupeKey: 'k-1' }),
    ]);
    expect(new Set(answers.map(({ error }) => error?.code))).toEqual(new Set(['key_reused', undefined]));
    expect(await two.store.read('main', (tx) => tx.count(tasks))).toBe(1);
  });

  test('claim and cancel at once: it is either never begun, or claimed and asked to stop', async () => {
    for (const n of [1, 2, 3, 4]) {
      await one.run('ben', 'job run restart');
      const wanted = { capabilities: ['default'], limit: 1, room: new Map<string, number>() };
      const [claimed, cancelled] = await Promise.all([
        two.store.transaction('main', (tx) => claim(tx, { owner: 'worker' }, wanted)),
        one.run('ben', `job cancel JOB-${n}`),
      ]);
      expect(cancelled.status).toBe('ok');
      const row = await one.store.read('main', (tx) => tx.get(jobs, { ref: `JOB-${n}` }));
      const { state, cancelRequested } = row ?? {};
      expect({ state, cancelRequested }).toEqual(
        claimed.length === 1
          ? { state: 'assigned', cancelRequested: true }
          : { state: 'cancelled', cancelRequested: false },
      );
    }
  });

  test('a role that one takes away is gone at the other with its very next command', async () => {
    expect(await two.run('ben', 'task create "Before"')).toMatchObject({ status: 'ok' });
    await one.run('ana', 'person add eve --roles operator');
    expect(await two.run('eve', 'task create "Mine"')).toMatchObject({ status: 'ok' });
    await one.run('ana', 'role revoke operator eve');
    expect(await two.run('eve', 'task create "Not mine"')).toMatchObject({ error: { code: 'forbidden' } });
    await one.run('ana', 'role grant operator eve');
    expect(await two.run('eve', 'task create "Mine again"')).toMatchObject({ status: 'ok' });
  });

  test('two changes of the same row at once: both are made, one after the other', async () => {
    await one.run('ana', 'task create "Fix login"');
    const answers = await Promise.all([
      one.run('ana', 'task edit TSK-1 --title "One"'),
      two.run('ben', 'task edit TSK-1 --priority P0'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['ok', 'ok']);
    expect(await one.store.read('main', (tx) => tx.get(tasks, { ref: 'TSK-1' }))).toMatchObject({
      title: 'One',
      priority: 'P0',
      version: 3,
    });
  });

  test('the people of the file are there once, whoever started first', async () => {
    expect(testCatalog().principals.length).toBeGreaterThan(3);
    const { reply } = await two.run('ana', 'person list');
    expect(reply.text.match(/^ana\b/gm)).toHaveLength(1);
  });
});
