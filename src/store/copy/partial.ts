import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { Refusal } from '../../domain/errors.ts';
import { storageRefusal } from '../sqlite/storage-errors.ts';

// A database file while it is written: it stands beside the place that it is to have, and gets its name when it is whole.

/** What SQLite keeps beside a file: with those of another database, the new one would be read as a mixture. */
const SIDE_FILES = ['', '-wal', '-shm', '-journal'];
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const unfinished = new Set<string>();

/** The empty file to be filled. @throws Refusal `conflict` when there is a file of the final name. */
export function makePartial(path: string): string {
  const there = SIDE_FILES.map((suffix) => `${path}${suffix}`).find((name) => existsSync(name));
  if (there !== undefined)
    throw new Refusal('conflict', `${there} is there already; name a new file, or move it away.`);
  const partial = `${path}.${process.pid}.partial`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // The journal and signing keys are in it: for its owner's eyes.
    closeSync(openSync(partial, 'w', 0o600));
  } catch (error) {
    throw storageRefusal(error, path);
  }
  if (unfinished.size === 0) for (const signal of SIGNALS) process.once(signal, interrupted);
  unfinished.add(partial);
  return partial;
}

/** Gives the finished file its name, durably; a file that came by meanwhile is not overwritten. */
export function publish(partial: string, path: string): void {
  try {
    linkSync(partial, path);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST'
      ? new Refusal('conflict', `${path} is there already; name a new file, or move it away.`)
      : storageRefusal(error, path);
  }
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

export function discard(partial: string): void {
  for (const suffix of SIDE_FILES) rmSync(`${partial}${suffix}`, { force: true });
  unfinished.delete(partial);
  if (unfinished.size === 0) for (const signal of SIGNALS) process.off(signal, interrupted);
}

/** The journal and signing keys are in it: nothing of it stays behind. */
function interrupted(signal: NodeJS.Signals): void {
  for (const partial of unfinished) discard(partial);
  // Nobody listens any more, so this ends the process in the usual way.
  process.kill(process.pid, signal);
}
