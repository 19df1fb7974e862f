import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Location } from '../../src/domain/location.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import { runBackup, runRestore } from '../../src/transfer.ts';
import { seed } from '../store/copy/seed.ts';
import { run } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

test('who restores what has jobs and messages open is told how to look at it before anything is done again', async () => {
  const folder = tempFolder();
  const at = (name: string): Location => ({ kind: 'sqlite', path: join(folder, name) });
  const store = openSqlite({ path: join(folder, 'lived.db') });
  await seed(store, 'main');
  await store.close();
  const said: string[] = [];
  const output = { write: (text: string) => said.push(text) };
  await runBackup(at('lived.db'), join(folder, 'backup.db'), output);
  await runRestore(at('restored.db'), join(folder, 'backup.db'), output);
  expect(said.join('')).toContain('2 open jobs and 2 messages to send');
  const [, option = ''] = /`signalbox start (--[a-z-]+)` it does nothing by itself/.exec(said.join('')) ?? [];
  expect((await run([], { folder })).err).toMatch(
    new RegExp(`${option} it answers commands and does nothing by itself`),
  );
});
