import { newSalt } from '../core/ids.ts';
import { chainHash, commit, type JournalEntry, type NewEntry } from '../domain/journal.ts';
import { redact } from '../domain/redact.ts';

/** The end of a workspace's chain as a group of transactions sees it; put back when a callback's writes are undone. */
export interface ChainHead {
  seq: number;
  hash: string;
}

/** Redacts and seals an entry as the next link, and moves the head on to it. */
export function linkTo(
  head: ChainHead,
  entry: NewEntry,
  { workspace, id, now }: { workspace: string; id: string; now: Date },
): JournalEntry {
  const details = redact(entry.details);
  const salt = newSalt();
  const link = {
    ...entry,
    details,
    version: 1 as const,
    id,
    workspace,
    seq: head.seq + 1,
    at: now.toISOString(),
    salt,
    commitment: commit(salt, details),
    previous: head.hash,
  };
  const written: JournalEntry = { ...link, hash: chainHash(link) };
  head.seq = written.seq;
  head.hash = written.hash;
  return written;
}
