import type { JobRow } from '../../domain/job.ts';
import type { JsonObject } from '../../domain/json.ts';
import { probeStates } from '../../domain/probe.ts';
import type { Tx } from '../store.ts';
import type { Failure } from './retrying.ts';

/** A sample replaces the last one; only a change of state is an entry in the journal. */
export async function recordProbe(tx: Tx, job: JobRow, probe: string, result: JsonObject): Promise<void> {
  const state = result['state'] === 'ok' ? 'ok' : 'failed';
  const before = await tx.get(probeStates, { id: probe });
  const changed = before?.state !== state;
  const failures = (result['failures'] ?? []) as readonly string[];
  const sample = {
    state,
    since: before && !changed ? before.since : tx.now,
    checkedAt: tx.now,
    latency: Math.round(Number(result['latency'] ?? 0)),
    failures,
    observation: result,
  } as const;
  if (before) await tx.update(probeStates, before, sample);
  else await tx.insert(probeStates, { id: probe, ...sample });
  if (changed) {
    const { correlationId } = job;
    const details = { job: job.ref, from: before?.state ?? 'unknown', failures, latency: sample.latency };
    await tx.append({
      event: `probe.${state}`,
      actor: 'system',
      target: probe,
      correlationId,
      cause: job.cause,
      details,
    });
  }
}

/** A probe that was asked is done, whatever the answer; as a step it stands for what it expects. */
export function unlikeExpected({ state, failures }: JsonObject): Failure | undefined {
  if (state === 'ok') return undefined;
  const reason = Array.isArray(failures) && failures.length > 0 ? failures.join('; ') : 'not as expected';
  return { kind: 'retry', failure: 'server', reason };
}
