import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runVerify } from '../../src/cli/verify.ts';
import { readJournal } from '../../src/store/sqlite/read-journal.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { tempFolder } from '../support/temp.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
  for (const title of ['one', 'two', 'three']) await h.run('ana', `task create "Task ${title}"`);
});
afterEach(() => h.close());

async function verify(path: string): Promise<{ code: number; text: string }> {
  let text = '';
  const code = await runVerify(path, readJournal, { write: (chunk) => (text += chunk) });
  return { code, text };
}

async function exported(): Promise<{ path: string; bytes: Buffer }> {
  const answer = await h.run('ana', 'audit export --limit 1000');
  const bytes = Buffer.from((answer.reply.data as { jsonl: string }).jsonl);
  const path = join(tempFolder(), 'export.jsonl');
  writeFileSync(path, bytes);
  return { path, bytes };
}

/** The file of a database that was closed, and a copy of it with one byte changed. */
async function closedDatabase() {
  await h.store.close();
  const bytes = readFileSync(h.file);
  const path = join(tempFolder(), 'copy.db');
  return {
    bytes,
    async flipped(at: number, bit = 1) {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ bit, at);
      writeFileSync(path, copy);
      return verify(path);
    },
  };
}

describe('an untouched journal holds', () => {
  test('in a database, also while a server has it open', async () => {
    const { code, text } = await verify(h.file);
    const last = (await h.entries()).at(-1);
    expect(code).toBe(0);
    expect(text).toBe(`✓ main: 7 entries hold, the last is ${last?.hash.slice(0, 16)}…\n`);
  });

  test('in an export, also of several workspaces and with details withheld', async () => {
    const { path, bytes } = await exported();
    await h.store.transaction('other', (tx) =>
      tx.append({
        event: 'x.y',
        actor: 'a',
        target: 't',
        correlationId: 'c',
        cause: null,
        details: { a: 1 },
      }),
    );
    const [own] = await h.store.history('other', 0, 1);
    writeFileSync(path, `${bytes.toString()}\n${JSON.stringify({ ...own, details: {}, salt: null })}\r\n`);
    const { code, text } = await verify(path);
    expect([code, text.split('\n').length]).toEqual([0, 3]);
    expect(text).toContain('✓ other: 1 entries hold');
  });

  test('of a database with thousands of entries', async () => {
    await h.store.transaction('main', async (tx) => {
      for (let n = 0; n < 2_500; n += 1)
        await tx.append({
          event: 'x.y',
          actor: 'a',
          target: 't',
          correlationId: 'c',
          cause: null,
          details: { n },
        });
    });
    expect((await verify(h.file)).text).toContain('2507 entries hold');
  });
});

describe('one flipped byte is found, and the first broken entry named', () => {
  test('in a database: in the text of an entry, its chain, its details or their form', async () => {
    const entries = await h.entries();
    const target = entries[4];
    const { bytes, flipped } = await closedDatabase();
    if (!target) throw new Error('too few entries');
    const start = bytes.indexOf(target.id);
    expect(start).toBeGreaterThan(0);
    const within = (text: string) => {
      const at = bytes.indexOf(text, start);
      if (at < 0 || at > start + 2_000) throw new Error(`not found: ${text}`);
      return at;
    };
    const places = [start, ...[target.event, target.commitment, target.previous, target.hash].map(within)];
    if (target.salt) places.push(within(target.salt));
    const details = within(JSON.stringify(target.details));
    // The opening brace, a quotation mark, a letter of a name, a colon: some of these are no JSON any more.
    places.push(details, details + 1, details + 2, details + JSON.stringify(target.details).indexOf(':'));
    for (const at of places) {
      const { code, text } = await flipped(at);
      expect(code, `byte ${at - start}`).toBe(1);
      expect(text, `byte ${at - start}`).toContain(`entry ${target.seq} is broken`);
    }
  });

  test('in an export: anywhere at all', async () => {
    const { path, bytes } = await exported();
    const lineOf = (at: number) => bytes.subarray(0, at).toString().split('\n').length;
    for (let at = 0; at < bytes.length; at += 13) {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      writeFileSync(path, copy);
      const { code, text } = await verify(path);
      expect(code, `byte ${at}`).toBe(1);
      const named = /entry (\d+) is broken|:(\d+): not a journal entry/.exec(text);
      // A changed workspace is another chain, which lacks its beginning.
      if (!text.includes('✗ main') && text.includes('is broken')) expect(named?.[1]).toBe('1');
      else expect(Number(named?.[1] ?? named?.[2]), `byte ${at}: ${text}`).toBe(lineOf(at));
    }
  });

  test('and so is an entry that is gone, doubled or moved', async () => {
    const { path, bytes } = await exported();
    const lines = bytes.toString().trimEnd().split('\n');
    const swapped = [...lines.slice(0, 2), lines[3], lines[2], ...lines.slice(4)];
    for (const changed of [lines.toSpliced(2, 1), lines.toSpliced(2, 0, lines[1] ?? ''), swapped]) {
      writeFileSync(path, changed.join('\n'));
      expect(await verify(path)).toMatchObject({
        code: 1,
        text: expect.stringContaining('entry 3 is broken'),
      });
    }
  });
});

describe('what cannot be verified is said', () => {
  test('there is no such file', async () => {
    const path = join(tempFolder(), 'none.db');
    expect(await verify(path)).toEqual({
      code: 2,
      text: `There is no file ${path}. Usage: signalbox audit verify [DATABASE or EXPORT]\n`,
    });
  });

  test('it is something else', async () => {
    const folder = tempFolder();
    const path = join(folder, 'x');
    writeFileSync(path, 'hello\n');
    expect(await verify(path)).toMatchObject({
      code: 1,
      text: expect.stringContaining('x:1: not a journal entry'),
    });
    expect((await verify(folder)).code).toBe(1);
    writeFileSync(path, '');
    expect(await verify(path)).toEqual({ code: 0, text: 'The journal is empty.\n' });
  });

  test('the database is damaged', async () => {
    const { bytes } = await closedDatabase();
    const path = join(tempFolder(), 'cut.db');
    writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length / 3)));
    expect((await verify(path)).code).toBe(1);
  });
});
