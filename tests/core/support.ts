import { verified, type Inbound, type VerifiedIdentity } from '../../src/core/message.ts';
import { approvals } from '../../src/domain/approval.ts';
import { jobs } from '../../src/domain/job.ts';
import type { JournalEntry } from '../../src/domain/journal.ts';
import { outbox } from '../../src/domain/records.ts';
import type { Query, Row, Table } from '../../src/domain/table.ts';
import type { Harness } from '../support/harness.ts';

export const identity = (channel: string, subject: string, over: Partial<VerifiedIdentity> = {}) =>
  verified({ workspace: 'main', channel, subject, assurance: 'key', scopes: ['*'], ...over });

/** A message of a person on Slack, in a thread of channel C1. */
export const onSlack = (name: string): Partial<Inbound> => ({
  channel: 'slack',
  from: identity('slack', `T1/U${name.toUpperCase()}`, { assurance: 'slack' }),
  conversation: 'slack:C1:1.2',
  replyTo: { channel: 'slack', to: 'C1', thread: '1.2' },
});

/** A proven mail of a person, with the token of the mail that it answers. */
export const byMail = (name: string, proof?: string): Partial<Inbound> => ({
  channel: 'email',
  from: identity('email', `${name}@example.test`, { assurance: 'dkim' }),
  conversation: `email:${name}`,
  replyTo: { channel: 'email', to: `${name}@example.test`, thread: '<1@example.test>' },
  ...(proof !== undefined && { proof }),
});

export const rows = <T extends Table>(harness: Harness, table: T, query?: Query<T>): Promise<Row<T>[]> =>
  harness.store.transaction('main', (tx) => tx.find(table, query));

export async function approval(harness: Harness, ref = 'APR-1') {
  const [row] = await rows(harness, approvals, { where: { ref } });
  if (!row) throw new Error(`no ${ref}`);
  return row;
}

export async function job(harness: Harness, ref = 'JOB-1') {
  const [row] = await rows(harness, jobs, { where: { ref } });
  if (!row) throw new Error(`no ${ref}`);
  return row;
}

/** The text that stands in the outbox, by key. */
export async function outgoing(harness: Harness): Promise<Record<string, string>> {
  const queued = await rows(harness, outbox, { orderBy: [{ column: 'id' }], limit: 5_000 });
  return Object.fromEntries(
    queued.map(({ key, reply }) => [key, (reply as { reply?: { text: string } }).reply?.text ?? '']),
  );
}

export async function events(harness: Harness, pattern: RegExp): Promise<JournalEntry[]> {
  return (await harness.entries()).filter((entry) => pattern.test(entry.event));
}
