import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { tasks } from '../../../src/domain/task.ts';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { event, newTask } from '../../contract/store.ts';
import { createDatabase } from '../../support/postgres.ts';

/** A store on a database whose first inserts of tasks fail with an error of that code. */
async function failing(code: string, times: number) {
  const database = await createDatabase({ empty: true });
  const store = await openPostgres({ url: database.url });
  onTestFinished(async () => {
    await store.close();
    await database.drop();
  });
  await store.transaction('w', (tx) => tx.append(event('task.begun')));
  await database.sql(`
    CREATE SEQUENCE failed; GRANT ALL ON SEQUENCE failed TO signalbox_app;
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('failed') <= ${times} THEN RAISE EXCEPTION 'example' USING ERRCODE = '${code}'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER failing BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION fail()`);
  const run = { times: 0 };
  const add = () =>
    store.transaction('w', async (tx) => {
      run.times += 1;
      await tx.append(event('task.a'));
      return (await tx.insert(tasks, newTask('a'))).id;
    });
  const neighbour = () => store.transaction('w', async (tx) => (await tx.append(event('task.n'))).event);
  const events = async () => (await store.history('w', 0, 99)).map((entry) => entry.event);
  return { database, store, add, neighbour, events, run };
}

test.each([
  ['a serialization failure', '40001', 2],
  ['a deadlock', '40P01', 2],
  ['a lack of connections', '53300', 1],
  ['a backend that was ended', '57P01', 1],
])('%s is tried again: it takes place once, with its neighbours', async (_, code, times) => {
  const { add, neighbour, events, run } = await failing(code, times);
  expect(await Promise.all([add(), neighbour()])).toEqual(['a', 'task.n']);
  expect(run.times).toBe(times + 1);
  expect(await events()).toEqual(['task.begun', 'task.a', 'task.n']);
});

test('what never passes is refused after five tries, with nothing of it written', async () => {
  const { add, events, run } = await failing('40001', 99);
  await expect(add()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('is busy; try again shortly'),
    retryAfter: 1_000,
  });
  // And once more, by which it was found whose statement it is.
  expect(run.times).toBe(6);
  expect(await events()).toEqual(['task.begun']);
});

test.each([
  ['57014', /took too long; nothing was changed/],
  ['55P03', /held its lock/],
  ['53200', /out of resources/],
  ['53100', /disk of the database is full/],
])('%s is refused, and costs its neighbours nothing', async (code, said) => {
  const { add, neighbour, events } = await failing(code, 99);
  const [refused, other] = await Promise.allSettled([add(), neighbour()]);
  expect(refused).toMatchObject({ reason: { code: 'unavailable', message: expect.stringMatching(said) } });
  expect(other).toEqual({ status: 'fulfilled', value: 'task.n' });
  expect(await events()).toEqual(['task.begun', 'task.n']);
});

test('the database itself ends what takes too long', async () => {
  const { store } = await failing('40001', 0);
  const setting = (name: string) =>
    store.transaction('w', async (tx) => {
      const asked = tx as unknown as { change(sql: string): Promise<{ rows: Record<string, string>[] }> };
      return (await asked.change(`SHOW ${name}`)).rows[0]?.[name];
    });
  expect(await setting('statement_timeout')).toBe('10s');
  expect(await setting('lock_timeout')).toBe('2s');
  expect(await setting('idle_in_transaction_session_timeout')).toBe('10s');
});

test('looks that are held up leave connections for commands, and say that they used up their own', async () => {
  const { database, store, neighbour } = await failing('40001', 0);
  const holder = new pg.Client(database.url);
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE');
  const looks = Array.from({ length: 30 }, () => store.read('w', (tx) => tx.count(tasks)));
  const settled = Promise.allSettled(looks);
  const started = performance.now();
  expect(await neighbour()).toBe('task.n');
  expect(performance.now() - started).toBeLessThan(1_000);
  const reasons = (await settled).map((look) => (look as PromiseRejectedResult).reason as Error);
  await holder.end();
  for (const reason of reasons) expect(reason).toMatchObject({ code: 'unavailable' });
  expect(reasons.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(
      /^All connections of this process to .* are in use or without an answer; try again shortly\.$/,
    ),
  );
  expect(await store.read('w', (tx) => tx.count(tasks))).toBe(0);
}, 30_000);
