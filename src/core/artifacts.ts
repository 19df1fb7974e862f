import { artifacts, measureAll } from '../domain/artifact.ts';
import { Refusal } from '../domain/errors.ts';
import type { JobRow, Outcome, Product } from '../domain/job.ts';
import type { Tx } from './store.ts';

/** Of one job, over all its steps and retries. */
const MOST_OF_JOB = 100;

/** The job as far as its artifacts tell of it. */
type Maker = Pick<JobRow, 'ref' | 'requester' | 'correlationId' | 'cause'>;

/** Keeps what a try made, in the transaction that ends it; where it cannot be kept, the report has failed. */
export async function withArtifacts<O extends Outcome>(
  tx: Tx,
  job: Maker,
  outcome: O,
): Promise<O | Extract<Outcome, { kind: 'fail' }>> {
  if (outcome.kind !== 'done' || !outcome.artifacts) return outcome;
  try {
    await keepArtifacts(tx, job, outcome.artifacts);
    return outcome;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const bound = error.code === 'too_large' ? { bound: 'artifacts' } : {};
    const { message: reason } = error;
    return { kind: 'fail', failure: 'refused', stage: 'report', reason, result: outcome.result, ...bound };
  }
}

/**
 * Keeps products as drafts.
 * @throws Refusal `invalid_argument` or `too_large` that names the artifact or the bound; nothing is kept then.
 */
export async function keepArtifacts(tx: Tx, job: Maker, products: readonly Product[]): Promise<void> {
  const measured = measureAll(products);
  const before = await tx.count(artifacts, { job: job.ref });
  if (before + measured.length > MOST_OF_JOB)
    throw new Refusal('too_large', `A job makes at most ${MOST_OF_JOB} artifacts in all.`);
  for (const product of measured) {
    const { name, kind, mediaType, content, size, sha256 } = product;
    const ref = `ART-${await tx.next('ART')}`;
    await tx.insert(artifacts, {
      id: tx.id(),
      ref,
      job: job.ref,
      name,
      kind,
      mediaType,
      content,
      size,
      sha256,
      state: 'draft',
      createdBy: job.requester,
      createdAt: tx.now,
      updatedBy: job.requester,
      updatedAt: tx.now,
      decidedBy: null,
      decidedAt: null,
    });
    await tx.append({
      event: 'artifact.added',
      actor: 'system',
      target: ref,
      correlationId: job.correlationId,
      cause: job.cause,
      details: { job: job.ref, name, kind, mediaType, size, sha256 },
    });
  }
}
