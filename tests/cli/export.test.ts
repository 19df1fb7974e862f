import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runExport } from '../../src/cli/export.ts';
import { runVerify } from '../../src/cli/verify.ts';
import type { JournalEntry } from '../../src/domain/journal.ts';
import { readJournal } from '../../src/store/sqlite/read-journal.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { run } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
  for (const title of ['one', 'two']) await h.run('ana', `task create "Task ${title}"`);
});
afterEach(() => h.close());

/** Exports; `lines` is what came out on standard output. */
async function exported(file: string | undefined, read = readJournal, database = h.file) {
  const output = new PassThrough();
  const whole = text(output);
  let said = '';
  const code = await runExport({
    database,
    file,
    readJournal: read,
    output,
    errors: { write: (chunk) => (said += chunk) },
  });
  output.end();
  return { code, said, lines: (await whole).split('\n').filter((line) => line !== '') };
}

test('writes the whole journal to standard output, while a server has it open', async () => {
  const { code, said, lines } = await exported(undefined);
  expect({ code, said }).toEqual({ code: 0, said: '' });
  expect(lines.map((line) => JSON.parse(line) as JournalEntry)).toEqual(await h.entries());
});

test('writes a file for its owner alone, which verifies', async () => {
  const file = join(tempFolder(), 'journal.jsonl');
  const { length } = await h.entries();
  expect(await exported(file)).toEqual({
    code: 0,
    said: `✓ ${length} entries are in ${file}; check them with: signalbox audit verify ${file}\n`,
    lines: [],
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  let verdict = '';
  expect(await runVerify(file, readJournal, { write: (chunk) => (verdict += chunk) })).toBe(0);
  expect(verdict).toContain(`${length} entries hold`);
});

test('does not overwrite an earlier copy', async () => {
  const file = join(tempFolder(), 'journal.jsonl');
  writeFileSync(file, 'precious');
  expect(await exported(file)).toMatchObject({ code: 1, said: expect.stringContaining('is there already') });
  expect(readFileSync(file, 'utf8')).toBe('precious');
});

test('says where it broke off, and that there is no database', async () => {
  const broken = function* (path: string) {
    yield* [...readJournal(path)].slice(0, 2);
    throw new Error('main: entry 3 is broken');
  };
  const { code, said, lines } = await exported(undefined, broken);
  expect({ code, said }).toEqual({
    code: 1,
    said: '✗ Not exported: main: entry 3 is broken (after 2 entries)\n',
  });
  expect(lines.length).toBeLessThanOrEqual(2);
  const nowhere = join(tempFolder(), 'none.db');
  expect(await exported(undefined, readJournal, nowhere)).toMatchObject({
    code: 2,
    said: expect.stringContaining(`no database at ${nowhere}`),
  });
});

test('a reader who has seen enough is no failure', async () => {
  const output = new PassThrough({ highWaterMark: 1 });
  const ending = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  output.once('data', () => output.destroy(ending));
  const options = { database: h.file, file: undefined, readJournal, output };
  expect(await runExport({ ...options, errors: { write: () => expect.unreachable() } })).toBe(0);
});

test('signalbox audit export, from the command line', async () => {
  const folder = tempFolder();
  const env = { SIGNALBOX_DB: h.file };
  const printed = await run(['audit', 'export'], { folder, env });
  expect(printed).toMatchObject({ code: 0, err: '' });
  expect(printed.out.trim().split('\n')).toHaveLength((await h.entries()).length);
  expect(await run(['audit', 'export', join(folder, 'copy.jsonl')], { folder, env })).toMatchObject({
    code: 0,
    out: '',
  });
  expect(await run(['audit', 'verify', join(folder, 'copy.jsonl')], { folder })).toMatchObject({ code: 0 });
  expect(await run(['audit', 'export', 'a', 'b'], { folder })).toMatchObject({ code: 2 });
});
