import { readFileSync, writeFileSync } from 'node:fs';
import { runVerify } from '../../../src/cli/verify.ts';
import type { JournalEntry } from '../../../src/domain/journal.ts';
import { readJournal } from '../../../src/store/sqlite/read-journal.ts';

/** What `signalbox audit verify FILE` exits with and prints. */
export async function verified(path: string): Promise<[code: number, text: string]> {
  let text = '';
  const code = await runVerify(path, readJournal, { write: (more: string) => (text += more) });
  return [code, text];
}

/** Changes one byte of one entry, wherever it stands in the file; returns the entry's sequence. */
export function flipOneByte(path: string, entries: readonly JournalEntry[]): number {
  const bytes = readFileSync(path);
  for (const { seq, commitment } of entries.slice(Math.floor(entries.length / 2))) {
    const at = bytes.indexOf(commitment);
    // A page that was split may have left a copy behind that nobody reads.
    if (at < 0 || bytes.includes(commitment, at + 1)) continue;
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    writeFileSync(path, bytes);
    return seq;
  }
  throw new Error('no entry stands in the file just once');
}
