import { int, json, maybe, table, text, time, type Row } from './table.ts';

/**
 * What is known of a try that runs elsewhere. The id is the digest of who claimed it, which job, and which claim of the
 * job, so that nobody else can speak for it, and its worker can also once the claim is lost.
 */
export const claims = table('claims', {
  job: text(), // jobs.ref
  attempt: int(),
  startedAt: time(),
  /** What its worker has logged so far. */
  lines: int(),
  bytes: int(),
  /** When its progress was last a line of the log. */
  progressAt: maybe(time()),
  /** How its worker says it ended: the digest of the words, and the first answer to them. */
  said: maybe(text()),
  answer: json<unknown>(),
  expiresAt: time(),
});

export type ClaimRow = Row<typeof claims>;
