import pg from 'pg';
import { getConstructionPlans, getRollbackPlans } from 'pg-boss';
import { expect, test, vi } from 'vitest';
import { Engine, ENGINE_SCHEMA, installEngine } from '../../../src/store/postgres/engine.ts';
import { createDatabase } from '../../support/postgres.ts';

const names = `
  SELECT c.relname::text AS name FROM pg_class c
  WHERE c.relnamespace = 'pgboss'::regnamespace ORDER BY 1`;

test('the form of its tables is the one that this version of pg-boss makes', () => {
  expect(getConstructionPlans('pgboss')).toContain(`version(version) VALUES ('${ENGINE_SCHEMA}')`);
});

test('tables of an older version are brought to this one', async () => {
  const database = await createDatabase();
  const owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  try {
    const before = await database.sql(names);
    await owner.query(getRollbackPlans('pgboss', ENGINE_SCHEMA));
    const version = () => database.sql('SELECT version FROM pgboss.version');
    expect(await version()).toEqual([{ version: ENGINE_SCHEMA - 1 }]);
    await installEngine(owner);
    expect(await version()).toEqual([{ version: ENGINE_SCHEMA }]);
    expect(await database.sql(names)).toEqual(before);
    await installEngine(owner);
  } finally {
    await owner.end();
    await database.drop();
  }
});

test('a server may do all that pg-boss does for itself, and clears away what has ended', async () => {
  const database = await createDatabase();
  const report = vi.fn<(error: unknown) => void>();
  const engine = new Engine({ url: database.url, lockTimeout: 2_000, report });
  try {
    const { boss, name } = await engine.queue('main', 'default');
    expect(name).toBe('main/default');
    const [old, open] = [await boss.send(name, {}), await boss.send(name, {})];
    await boss.fetch(name);
    await database.sql(
      `UPDATE pgboss.job SET state = 'completed', completed_on = now() - interval '2 hours' WHERE id = $1`,
      [old],
    );
    await boss.supervise();
    expect(await database.sql('SELECT id FROM pgboss.job')).toEqual([{ id: open }]);
    expect(report).not.toHaveBeenCalled();
  } finally {
    await engine.close();
    await database.drop();
  }
});

test('a queue that could not be made is made by whoever needs it next', async () => {
  const database = await createDatabase();
  const engine = new Engine({ url: database.url, lockTimeout: 2_000, report: () => undefined });
  try {
    await database.sql('ALTER TABLE pgboss.version RENAME TO hidden');
    await expect(engine.queue('main', 'gpu')).rejects.toThrow(/pg-boss is not installed|version/);
    await database.sql('ALTER TABLE pgboss.hidden RENAME TO version');
    expect((await engine.queue('main', 'gpu')).name).toBe('main/gpu');
  } finally {
    await engine.close();
    await database.drop();
  }
});
