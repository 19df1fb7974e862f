import { readFileSync, globSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { TABLES } from '../../src/domain/tables.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import { columnsOf } from '../../src/store/schema.ts';
import { tempFolder } from '../support/temp.ts';

const SRC = resolve(import.meta.dirname, '../../src');

test('every table that a noun describes is in the list, once', () => {
  const described = globSync('domain/*.ts', { cwd: SRC }).flatMap((file) =>
    [...readFileSync(join(SRC, file), 'utf8').matchAll(/= table\(\s*'(\w+)'/g)].map(([, name = '']) => name),
  );
  expect(TABLES.map(({ name }) => name).toSorted()).toEqual(described.toSorted());
});

test('the list and the counters are all that the database has, column by column', async () => {
  const file = join(tempFolder(), 'test.db');
  await openSqlite({ path: file }).close();
  const db = new Database(file, { readonly: true });
  const tables = db
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
    .pluck()
    .all() as string[];
  expect(tables.toSorted()).toEqual(['counters', ...TABLES.map(({ name }) => name)].toSorted());
  for (const table of TABLES) {
    const columns = db.pragma(`table_info(${table.name})`) as { name: string; type: string }[];
    expect(columns.map(({ name, type }) => `${name} ${type}`).toSorted(), table.name).toEqual(
      columnsOf(table)
        .map(({ name, type }) => `${name} ${type === 'int' ? 'INTEGER' : 'TEXT'}`)
        .toSorted(),
    );
  }
  db.close();
});
