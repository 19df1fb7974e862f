import { clip } from '../../domain/clip.ts';
import { SECOND } from '../../domain/clock.ts';
import { isOver, jobLogs, progressText, type JobRow } from '../../domain/job.ts';
import { canonical } from '../../domain/json.ts';
import { outbox } from '../../domain/records.ts';
import type { Address, Reply } from '../message.ts';
import { enqueue, isChangeable, placeOf, revise, type OutgoingRow } from '../outgoing.ts';
import type { Tx } from '../store.ts';
import { jobActions } from './job-actions.ts';
import { jobCard } from './job-card.ts';
import { postEnd } from './notifying.ts';
import { aboutJob, answerKey, changesWithJob, endKey, newsKey } from './report-keys.ts';

/** Milliseconds between two pieces of news of one job. */
export const NEWS_EVERY = 5 * SECOND;
/** Lines of its log that go with them. */
const LINES = 5;

/** Whether the conversation that asked for a job hears of it before its end: where that does not pile up. */
export const hearsNews = ({ replyTo }: Pick<JobRow, 'replyTo'>): boolean =>
  replyTo !== null && isChangeable(replyTo as Address);

/**
 * Tells the conversation that asked for a running job how far it has come: one message, changed in place, at a decent
 * pace. Returns false where it is too soon, or nobody hears of it.
 */
export async function tellNews(tx: Tx, row: JobRow): Promise<boolean> {
  if (!hearsNews(row) || row.state !== 'running') return false;
  const since = row.runningAt ?? tx.now;
  if (tx.now.getTime() - since.getTime() < NEWS_EVERY) return false;
  const before = await lastNews(tx, row);
  if (before && tx.now.getTime() - before.createdAt.getTime() < NEWS_EVERY) return false;
  const log = await lastLines(tx, row);
  const text = newsText(row, log);
  if (before?.state !== 'queued') return replace(tx, row, before, newsKey(row, tx.now), text, log);
  return revise(tx, before, aboutReply(row, text, log));
}

/** A job stopped to run and is not over: where its news stand, they say what it waits for from now on. */
export async function tellPause(tx: Tx, row: JobRow): Promise<void> {
  const before = hearsNews(row) ? await lastNews(tx, row) : undefined;
  if (before) await replace(tx, row, before, newsKey(row, tx.now), pauseText(row));
}

/** Tells the conversation that asked for a job how it ended, in the place of its news; and posts it where that is asked for. */
export async function tellEnd(tx: Tx, row: JobRow, text: string): Promise<void> {
  if (row.replyTo) {
    const before = hearsNews(row) ? await lastNews(tx, row) : undefined;
    await replace(tx, row, before, endKey(row), text);
  }
  await postEnd(tx, row);
}

/**
 * What was decided about a job that waited for it, in the place of what was told of the job so far. Returns false where the
 * decision is not told in the job's own conversation, or nothing is changed there.
 */
export async function tellDecided(
  tx: Tx,
  row: JobRow,
  decided: { readonly id: string; readonly address: Address; readonly text: string },
): Promise<boolean> {
  const { id, address, text } = decided;
  if (!hearsNews(row) || canonical(row.replyTo) !== canonical(address)) return false;
  const reply = { text, card: jobCard(row, [], text), actions: jobActions(row) };
  await put(tx, row, await lastTold(tx, row), answerKey(row.ref, id), reply);
  return true;
}

/** A job that was over is to run again: where its end stands, that is said instead, with what can be done now. */
export async function tellAgain(tx: Tx, row: JobRow): Promise<void> {
  const before = hearsNews(row) ? await lastTold(tx, row) : undefined;
  if (before && placeOf(before)) await replace(tx, row, before, newsKey(row, tx.now), pauseText(row));
}

/** What was told last, from the answer on, unless the job was over in between. */
async function lastNews(tx: Tx, row: JobRow): Promise<OutgoingRow | undefined> {
  const last = await lastTold(tx, row);
  return last && changesWithJob(last.key) ? last : undefined;
}

async function lastTold(tx: Tx, row: JobRow): Promise<OutgoingRow | undefined> {
  const { channel } = row.replyTo as Address;
  const [last] = await tx.find(outbox, {
    where: { key: { prefix: aboutJob(row) }, channel },
    orderBy: [{ column: 'id', descending: true }],
    limit: 1,
  });
  return last;
}

/** Tells something in the place of what was told before, or is on its way, or was to be told. */
const replace = (
  tx: Tx,
  row: JobRow,
  before: OutgoingRow | undefined,
  key: string,
  text: string,
  log?: readonly string[],
): Promise<boolean> => put(tx, row, before, key, aboutReply(row, text, log));

async function put(
  tx: Tx,
  { replyTo }: JobRow,
  before: OutgoingRow | undefined,
  key: string,
  reply: Reply,
): Promise<boolean> {
  const place = before && placeOf(before);
  if (before?.state === 'queued') {
    const { reply: _, ...its } = before.reply as { reply?: Reply };
    await tx.update(outbox, before, { state: 'withdrawn', reply: its });
  }
  return enqueue(tx, { key, address: replyTo as Address, reply, ...(place && { place }) });
}

/** Where the message changes with the job, so does what can be done about it. Its text says the `log` already. */
function aboutReply(row: JobRow, text: string, log?: readonly string[]): Reply {
  if (!hearsNews(row)) return { text };
  // The title says what the first line does once the job is over.
  const said = isOver(row.state) ? text.split('\n').slice(1).join('\n') : text;
  const card = jobCard(row, log ?? [], log === undefined ? said : '');
  return { text, card, actions: jobActions(row) };
}

async function lastLines(tx: Tx, row: JobRow): Promise<readonly string[]> {
  const lines = await tx.find(jobLogs, {
    where: { job: row.ref, stream: { not: 'progress' } },
    orderBy: [{ column: 'cursor', descending: true }],
    limit: LINES,
  });
  return lines.toReversed().map(({ line }) => clip(line, 300));
}

function newsText(row: JobRow, log: readonly string[]): string {
  const progress = row.progress ? ` · ${progressText(row.progress)}` : '';
  return [`${row.ref} is running: ${row.runbook}${progress}`, ...log].join('\n');
}

function pauseText(row: JobRow): string {
  const undone = row.phase === 'compensating' ? 'is to be undone' : 'is queued again';
  const standing = row.state === 'waiting' ? `waits${waitText(row)}` : undone;
  const why = row.state === 'waiting' ? undefined : row.error;
  return [`${row.ref} ${standing}: ${row.runbook}`, why].filter(Boolean).join('\n');
}

/** ` for APR-3`, ` until …`; empty where it waits for nothing. */
export function waitText({ waitFor, waitUntil }: JobRow): string {
  if (waitFor?.kind === 'approval') return ` for ${waitFor.approval}`;
  if (waitFor?.kind === 'event') return ` for the event ${waitFor.event}`;
  return waitUntil ? ` until ${waitUntil.toISOString()}` : '';
}
