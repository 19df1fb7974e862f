import { SECOND } from '../../domain/clock.ts';
import { jobLogs, progressText, type JobRow } from '../../domain/job.ts';
import { outbox } from '../../domain/records.ts';
import type { Row } from '../../domain/table.ts';
import type { Address } from '../message.ts';
import { enqueue } from '../outgoing.ts';
import type { Tx } from '../store.ts';
import { jobView } from './view.ts';

/** Channels on which a message can be changed in place; on the others only the end is told. */
const IN_PLACE: readonly Address['channel'][] = ['slack'];
/** Milliseconds between two pieces of news of one job. */
export const NEWS_EVERY = 5 * SECOND;
/** Lines of its log that go with them. */
const LINES = 5;
const NEWS = /^job:[^:]+:news:/;

/** Whether the conversation that asked for a job hears of it while it runs. */
export const hearsNews = ({ replyTo }: Pick<JobRow, 'replyTo'>): boolean =>
  IN_PLACE.includes((replyTo as Address | null)?.channel ?? 'terminal');

/**
 * Tells the conversation that asked for a running job how far it has come: one message, changed in place, at a decent
 * pace. Returns false where it is too soon, or nobody hears of it.
 */
export async function tellNews(tx: Tx, row: JobRow): Promise<boolean> {
  if (!hearsNews(row) || row.state !== 'running') return false;
  const since = row.runningAt ?? tx.now;
  if (tx.now.getTime() - since.getTime() < NEWS_EVERY) return false;
  const before = await lastMessage(tx, row);
  if (before && tx.now.getTime() - before.createdAt.getTime() < NEWS_EVERY) return false;
  const reply = { text: await newsText(tx, row) };
  if (before?.state === 'queued') {
    await tx.update(outbox, before, { reply: { ...(before.reply as object), reply } });
    return true;
  }
  // Sequenced by the instant, which is as exact as the pace takes.
  const key = `job:${row.ref}:news:${tx.now.getTime()}`;
  return enqueue(tx, { key, address: row.replyTo as Address, reply, ...inPlaceOf(before) });
}

/** Tells the conversation that asked for a job how it ended, in the place of its news; and posts it where that is asked for. */
export async function tellEnd(tx: Tx, row: JobRow, text: string): Promise<void> {
  if (row.replyTo) {
    const reply = { text };
    const before = hearsNews(row) ? await lastMessage(tx, row) : undefined;
    if (before?.state === 'queued') await tx.update(outbox, before, { state: 'withdrawn', reply: { reply } });
    const key = `job:${row.ref}:${row.attempt}:end`;
    await enqueue(tx, { key, address: row.replyTo as Address, reply, ...inPlaceOf(before) });
  }
  await postEnd(tx, row);
}

/** Posts the end of a job to the URL that it was asked for with, signed on its way out. */
export async function postEnd(tx: Tx, row: JobRow): Promise<void> {
  if (row.notify === null) return;
  const data = { type: `job.${row.state}`, timestamp: tx.now.toISOString(), data: jobView(row) };
  await enqueue(tx, {
    // By version: what is cancelled before it runs may be asked for again and be cancelled again in the same attempt.
    key: `job:${row.ref}:${row.version}:notify`,
    address: { channel: 'webhook', to: row.notify },
    reply: { text: `${row.ref} ${row.state}: ${row.runbook}`, data },
  });
}

/** The news that were told last, unless the job was over in between. */
async function lastMessage(tx: Tx, row: JobRow): Promise<Row<typeof outbox> | undefined> {
  const { channel } = row.replyTo as Address;
  const [last] = await tx.find(outbox, {
    where: { key: { prefix: `job:${row.ref}:` }, channel },
    orderBy: [{ column: 'id', descending: true }],
    limit: 1,
  });
  return last && NEWS.test(last.key) ? last : undefined;
}

/** What takes the place of a message that was sent, or of the one that it was to replace. */
function inPlaceOf(before: Row<typeof outbox> | undefined): { replaces?: string } {
  const queued = (before?.reply as { replaces?: string } | undefined)?.replaces;
  const replaces = before?.externalId ?? queued;
  return replaces === undefined ? {} : { replaces };
}

async function newsText(tx: Tx, row: JobRow): Promise<string> {
  const lines = await tx.find(jobLogs, {
    where: { job: row.ref, stream: { not: 'progress' } },
    orderBy: [{ column: 'cursor', descending: true }],
    limit: LINES,
  });
  const progress = row.progress ? ` · ${progressText(row.progress)}` : '';
  return [
    `${row.ref} is running: ${row.runbook}${progress}`,
    ...lines.toReversed().map((l) => l.line.slice(0, 300)),
  ].join('\n');
}
