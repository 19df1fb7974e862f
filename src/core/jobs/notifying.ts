import type { Catalog } from '../../domain/catalog.ts';
import type { Effect } from '../../domain/effect.ts';
import { Refusal } from '../../domain/errors.ts';
import { jobs, type JobRow } from '../../domain/job.ts';
import { secretIn } from '../../domain/redact.ts';
import { enqueue } from '../outgoing.ts';
import type { Tx } from '../store.ts';
import { writeReceipts } from './receipts.ts';
import { notifyKey, reportedJob } from './report-keys.ts';
import { jobView } from './job-json.ts';

/**
 * Whether the end of a job can be posted to a URL. Where it leads is looked at when it is posted, as for every outgoing
 * request. @throws Refusal `invalid_argument`, or `conflict` where nothing could be signed.
 */
export function checkNotify(catalog: Pick<Catalog, 'notify' | 'jobs'>, text: string): void {
  if (!catalog.notify)
    throw new Refusal(
      'conflict',
      'Ends of jobs are posted signed, and no secret is set to sign them with: set SIGNALBOX_NOTIFY_SECRET.',
    );
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new Refusal(
      'invalid_argument',
      'notify: expected a URL such as https://ci.example.test/hooks/job.',
    );
  const query = Object.fromEntries(url.searchParams);
  if (url.username !== '' || url.password !== '' || secretIn(query) !== undefined)
    throw new Refusal(
      'invalid_argument',
      'notify: leave credentials out of the URL, where they would be stored; the signature proves the sender.',
    );
  const { notify: allowed } = catalog.jobs;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const names = [url.hostname, `${url.hostname}:${port}`];
  if (allowed && !allowed.some((host) => names.includes(host.toLowerCase())))
    throw new Refusal(
      'invalid_argument',
      `notify: expected a host that is allowed (jobs.notify): ${allowed.join(', ') || 'there is none'}.`,
    );
}

/** Posts the end of a job to the URL that it was asked for with, signed on its way out. */
export async function postEnd(tx: Tx, row: JobRow): Promise<void> {
  if (row.notify === null) return;
  const data = { type: `job.${row.state}`, timestamp: tx.now.toISOString(), data: jobView(row) };
  await enqueue(tx, {
    key: notifyKey(row),
    address: { channel: 'webhook', to: row.notify },
    reply: { text: `${row.ref} ${row.state}: ${row.runbook}`, data },
  });
}

/** Keeps the receipt of a posted end with its job; `key` is the outgoing message's, `webhookId` what it went out under. */
export async function keepNotified(tx: Tx, key: string, webhookId: string, effect: Effect): Promise<void> {
  const ref = reportedJob(key);
  const row = ref === undefined ? undefined : await tx.get(jobs, { ref });
  if (row) await writeReceipts(tx, row, [{ ...effect, step: null, key: webhookId }]);
}
