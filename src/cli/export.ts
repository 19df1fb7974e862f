import { createWriteStream, existsSync } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { JournalEntry } from '../domain/journal.ts';

export interface ExportOptions {
  /** The database file; of a server's database the name, without a password. */
  readonly database: string;
  /** Unless told: a file. */
  readonly at?: 'file' | 'server';
  /** Where the lines go: a new file; standard output unless told. */
  readonly file: string | undefined;
  readonly readJournal: (path: string) => Iterable<JournalEntry> | AsyncIterable<JournalEntry>;
  readonly output: Writable;
  readonly errors: { write(text: string): unknown };
}

/**
 * `signalbox audit export [FILE]`: the whole journal as JSON lines, offline, in the form that `audit verify` takes.
 * Exit code 0: all of it is written; 1: it could not be read or written to its end; 2: there is no database.
 */
export async function runExport(options: ExportOptions): Promise<0 | 1 | 2> {
  const { database, at = 'file', file, output, errors } = options;
  if (at === 'file' && !existsSync(database)) {
    errors.write(`There is no database at ${database}; SIGNALBOX_DB names another.\n`);
    return 2;
  }
  let count = 0;
  async function* lines(): AsyncIterable<string> {
    for await (const entry of options.readJournal(database)) {
      yield `${JSON.stringify(entry)}\n`;
      count += 1;
    }
  }
  try {
    // The journal tells who did what, so its copy is for whoever made it; and an earlier copy is not overwritten.
    if (file !== undefined)
      await pipeline(Readable.from(lines()), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
    else await pipeline(Readable.from(lines()), output, { end: false });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Whoever reads along has seen enough: `| head`.
    if (code === 'EPIPE' && file === undefined) return 0;
    const why =
      code === 'EEXIST'
        ? `${file} is there already; name a new file.`
        : `${message} (after ${count} entries)`;
    errors.write(`✗ Not exported: ${why}\n`);
    return 1;
  }
  if (file !== undefined)
    errors.write(`✓ ${count} entries are in ${file}; check them with: signalbox audit verify ${file}\n`);
  return 0;
}
