import { createReadStream, existsSync, openSync, readSync, closeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { verifyChains, type Entries, type Verdict } from '../domain/chains.ts';
import type { JournalEntry } from '../domain/journal.ts';

const SQLITE_MAGIC = 'SQLite format 3\0';

/** Whether the file is a SQLite database; anything else is read as an export. */
function isDatabase(path: string): boolean {
  const buffer = Buffer.alloc(SQLITE_MAGIC.length);
  const file = openSync(path, 'r');
  try {
    readSync(file, buffer, 0, buffer.length, 0);
  } finally {
    closeSync(file);
  }
  return buffer.toString('latin1') === SQLITE_MAGIC;
}

const exported = z.object({
  version: z.literal(1),
  id: z.string(),
  workspace: z.string(),
  seq: z.int(),
  at: z.string(),
  event: z.string(),
  actor: z.string(),
  target: z.string(),
  correlationId: z.string(),
  cause: z.string().nullable(),
  details: z.record(z.string(), z.json()),
  salt: z.string().nullable(),
  commitment: z.string(),
  previous: z.string(),
  hash: z.string(),
});

/** The entries of an export: one JSON object a line. @throws Error naming the first line that is none. */
async function* readExport(path: string): AsyncIterable<JournalEntry> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })) {
    number += 1;
    if (line.trim() === '') continue;
    const entry = exported.safeParse(parse(line));
    if (!entry.success) throw new Error(`${path}:${number}: not a journal entry.`);
    yield entry.data;
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * `signalbox audit verify [FILE]`: offline, on a database or an export. `at`: a server's database has a name, and no path.
 * Exit code 0: every chain holds; 1: one is broken, named; 2: there is nothing to verify.
 */
export async function runVerify(
  path: string,
  readDatabase: (path: string) => Entries,
  output: { write(text: string): unknown },
  at: 'file' | 'server' = 'file',
): Promise<0 | 1 | 2> {
  if (at === 'file' && !existsSync(path)) {
    output.write(`There is no file ${path}. Usage: signalbox audit verify [DATABASE or EXPORT]\n`);
    return 2;
  }
  let verdict: Verdict;
  try {
    verdict = await verifyChains(at === 'server' || isDatabase(path) ? readDatabase(path) : readExport(path));
  } catch (error) {
    output.write(`✗ ${path} cannot be read to its end: ${(error as Error).message}\n`);
    return 1;
  }
  for (const [workspace, { seq, hash }] of verdict.chains) {
    output.write(`✓ ${workspace}: ${seq} entries hold, the last is ${hash.slice(0, 16)}…\n`);
  }
  const { fault } = verdict;
  if (fault) {
    output.write(`✗ ${fault.workspace}: entry ${fault.seq} is broken: ${fault.reason}\n`);
    return 1;
  }
  if (verdict.chains.size === 0) output.write('The journal is empty.\n');
  return 0;
}
