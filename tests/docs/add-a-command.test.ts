import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Command } from '../../src/core/command.ts';
import { DAY } from '../../src/domain/clock.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { layOut } from './shown-files.ts';

describe('the examples of docs/add-a-command.md', () => {
  const files = layOut('add-a-command.md');
  let harness: Harness;
  let shown: Command[];

  beforeAll(async () => {
    const { taskStale } = await files.load<{ taskStale: Command }>('commands/task/stale.ts');
    const { noteCommands } = await files.load<{ noteCommands: Command[] }>('commands/note.ts');
    shown = [taskStale, ...noteCommands];
    harness = await createHarness({}, shown);
    const db = new Database(harness.file);
    db.exec(files.text('migrations/sqlite/0002.sql'));
    db.close();
  });
  afterAll(async () => {
    await harness.close();
    files.remove();
  });

  test('are parsed in both forms and run', async () => {
    for (const { text, json } of shown.flatMap((command) => command.examples)) {
      const read = await harness.language.read({ text }, { now: harness.clock.now(), who: 'ana' });
      expect(read.invocation).toEqual(json);
      expect(await harness.run('ana', text)).toMatchObject({ status: 'ok', invocation: json });
    }
  });

  test('find what lay still', async () => {
    await harness.run('ana', 'task create "Old"');
    harness.clock.pass(15 * DAY);
    await harness.run('ana', 'task create "New"');
    const answer = await harness.run('ana', 'task stale');
    expect(answer.reply.text).toContain('Old');
    expect(answer.reply.text).not.toContain('New');
  });

  test('keep notes in their own table and journal them', async () => {
    const { reply } = await harness.run('ben', 'note list');
    expect(reply.text).toMatch(/^You may not/);
    await harness.run('ana', 'note add "Call the bank"');
    expect((await harness.run('ana', 'note list')).reply.text).toContain('Call the bank');
    expect((await harness.entries()).at(-1)).toMatchObject({ event: 'note.added', actor: 'ana' });
  });
});
