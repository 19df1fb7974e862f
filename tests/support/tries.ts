import { claim } from '../../src/core/jobs/claiming.ts';
import { finish, type Ending } from '../../src/core/jobs/finishing.ts';
import { runbookOf } from '../../src/domain/catalog.ts';
import { DEFAULT_CAPABILITY } from '../../src/domain/runbook.ts';
import type { Harness } from './harness.ts';

/** Claims the job that is due next and ends its try like this, without a worker. */
export async function endTry(h: Harness, outcome: Ending['outcome']): Promise<void> {
  await h.store.transaction('main', async (tx) => {
    const wanted = { capabilities: [DEFAULT_CAPABILITY], limit: 1, room: new Map() };
    const [job] = await claim(tx, { owner: 'w1', begin: true }, wanted);
    if (!job) throw new Error('no job is due');
    const runbook = runbookOf(h.catalog, job.runbook);
    await finish(tx, job, { outcome, runbook, receipts: [], random: () => 1 });
  });
}
