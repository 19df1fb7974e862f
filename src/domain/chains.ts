import { checkLink, GENESIS, type ChainFault, type JournalEntry } from './journal.ts';

/** The journal as it is read: each workspace's entries oldest first. */
export type Entries = AsyncIterable<JournalEntry> | Iterable<JournalEntry>;

export interface Verdict {
  /** Workspace → entries that hold, and the hash of the last one. */
  readonly chains: ReadonlyMap<string, { readonly seq: number; readonly hash: string }>;
  /** The first broken entry, if any. */
  readonly fault?: ChainFault & { readonly workspace: string };
}

/** Checks every entry against the one before it. Entries of several workspaces may be mixed; each has its own chain. */
export async function verifyChains(entries: Entries): Promise<Verdict> {
  const chains = new Map<string, { seq: number; hash: string }>();
  for await (const entry of entries) {
    const { workspace } = entry;
    const last = chains.get(workspace) ?? { seq: 0, hash: GENESIS };
    const fault = checkLink(entry, last.seq + 1, last.hash);
    if (fault) return { chains, fault: { ...fault, workspace } };
    chains.set(workspace, { seq: entry.seq, hash: entry.hash });
  }
  return { chains };
}
