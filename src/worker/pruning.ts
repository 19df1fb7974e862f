import type { Store, Tx } from '../core/store.ts';
import { jobLogs, jobs } from '../domain/job.ts';
import { deadLetters, outbox } from '../domain/records.ts';

const PAGE = 500;

/** What one page came to: the ids of what may go, the last id, and whether what comes after it may be as old. */
interface Page {
  readonly gone: readonly string[];
  readonly last: string | undefined;
  readonly old: boolean;
}

/** Removes the log lines of jobs that ended before an instant; a job that is tried again keeps its own. */
export const pruneLogs = (store: Store, workspace: string, before: Date): Promise<void> =>
  prune(store, workspace, jobLogs, async (tx, page) => {
    const lines = await tx.find(jobLogs, page);
    const where = { ref: { in: [...new Set(lines.map((line) => line.job))] }, endedAt: { below: before } };
    const ended = new Set((await tx.find(jobs, { where, limit: PAGE })).map((job) => job.ref));
    const gone = lines.filter((line) => ended.has(line.job));
    return pageOf(lines, gone, (line) => line.at < before);
  });

/** Removes messages from before an instant that are done with. A report that was given up stays while it may be sent again. */
export const pruneSent = (store: Store, workspace: string, before: Date): Promise<void> =>
  prune(store, workspace, outbox, async (tx, page) => {
    const messages = await tx.find(outbox, page);
    const old = (message: { readonly createdAt: Date }) => message.createdAt < before;
    const dead = messages.filter(({ state }) => state === 'dead').map(({ key }) => key);
    const letters =
      dead.length === 0
        ? []
        : await tx.find(deadLetters, { where: { message: { in: dead }, settledAt: null } });
    const kept = new Set(letters.map(({ message }) => message));
    const gone = messages.filter((m) => old(m) && m.state !== 'queued' && !kept.has(m.key));
    return pageOf(messages, gone, old);
  });

function pageOf<R extends { readonly id: string }>(
  rows: readonly R[],
  gone: readonly R[],
  isOld: (row: R) => boolean,
): Page {
  const last = rows.length === PAGE ? rows.at(-1) : undefined;
  return { gone: gone.map(({ id }) => id), last: last?.id, old: last !== undefined && isOld(last) };
}

/**
 * Goes through a table whose ids rise with time, from the oldest row on, until a page holds nothing that may go and what
 * comes after it is newer. Each page is a transaction of its own, so that no command waits for all of it.
 */
async function prune(
  store: Store,
  workspace: string,
  table: typeof jobLogs | typeof outbox,
  look: (tx: Tx, page: ReturnType<typeof pageAfter>) => Promise<Page>,
): Promise<void> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const from: string = after;
    after = await store.transaction(workspace, async (tx) => {
      const { gone, last, old } = await look(tx, pageAfter(from));
      if (gone.length > 0) await tx.remove(table as typeof outbox, { id: { in: gone } });
      return gone.length > 0 || old ? last : undefined;
    });
  }
}

const pageAfter = (id: string) => ({
  where: { id: { above: id } },
  orderBy: [{ column: 'id' as const }],
  limit: PAGE,
});
