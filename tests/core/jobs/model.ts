import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'vitest';
import { jobs, type JobRow, type JobState } from '../../../src/domain/job.ts';
import { SECOND } from '../../../src/domain/clock.ts';
import { deadLetters } from '../../../src/domain/records.ts';
import type { Tx } from '../../../src/core/store.ts';
import type { Harness } from '../../support/harness.ts';
import { rows } from '../support.ts';

export const page = readFileSync(
  resolve(import.meta.dirname, '../../../docs/specs/job-state-machine.md'),
  'utf8',
);
export const table = (heading: string): string[][] => {
  const section = page.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| `'));
  return lines.map((line) =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.replaceAll('`', '')),
  );
};
/** Which event tells of which transition, as the page says. */
export const steps = table('Transitions');

export const MOST_AT_ONCE = 2;
export const WORKERS = ['w1', 'w2', 'w3'] as const;
export const FIRST_WAIT = SECOND;
/** What a worker that lives has to come back for a claim that was found to be over. */
export const GRACE = 2 * SECOND;

export interface ModelJob {
  state: JobState;
  attempt: number;
  max: number;
  fence: number;
  runAt: number;
  leaseUntil: number;
  graceUntil: number;
  cancelRequested: boolean;
  /** When it was asked for: an approval has an hour to come. */
  readonly asked: number;
}

export interface Model {
  now: number;
  readonly jobs: Map<string, ModelJob>;
}

export interface Real {
  readonly h: Harness;
  /** What each worker believes to hold, however old that is. */
  readonly held: Map<string, JobRow[]>;
  /** The highest fence of each job so far. */
  readonly fences: Map<string, number>;
}

export const random = () => 0.5;
export const inStore = <T>({ h }: Real, work: (tx: Tx) => Promise<T>) => h.store.transaction('main', work);
export const nth = <T>(all: readonly T[], n: number): T | undefined => all[n % all.length];
export const known = (model: Model, ref: string): ModelJob => {
  const found = model.jobs.get(ref);
  if (!found) throw new Error(`the model knows no ${ref}`);
  return found;
};
export const isBusy = ({ state }: ModelJob) => state === 'assigned' || state === 'running';
export const holds = (one: ModelJob, row: JobRow) => isBusy(one) && one.fence === row.fence;
export const back = (one: ModelJob, runAt: number) =>
  Object.assign(one, { state: 'queued', runAt, leaseUntil: 0 });
export const over = (one: ModelJob, state: JobState) => Object.assign(one, { state, leaseUntil: 0 });

/** What the page says of a try that did not work. */
export function failed(one: ModelJob, now: number, wait: number): void {
  if (one.cancelRequested) over(one, 'cancelled');
  else if (one.attempt >= one.max) over(one, 'failed');
  else back(one, now + wait);
}

export const backoff = (attempt: number) =>
  Math.round(random() * Math.min(10 * SECOND, FIRST_WAIT * 2 ** (attempt - 1)));

export async function invariants(model: Model, real: Real): Promise<void> {
  const found = await rows(real.h, jobs, { limit: 1_000 });
  const open = new Set(
    (await rows(real.h, deadLetters, { where: { settledAt: null } })).map((letter) => letter.job),
  );
  const entries = await real.h.store.history('main', 0, 100_000);
  expect(found.length).toBe(model.jobs.size);
  for (const row of found) {
    const { state, attempt, max, fence, runAt, leaseUntil, cancelRequested } = known(model, row.ref);
    expect(row).toMatchObject({ state, attempt, maxAttempts: max, fence, cancelRequested });
    if (state === 'queued') expect(row.runAt.getTime()).toBe(runAt);
    const held = state === 'assigned' || state === 'running';
    // 1
    expect([row.leaseOwner !== null, row.leaseUntil?.getTime() ?? 0]).toEqual([held, held ? leaseUntil : 0]);
    // 2
    expect(row.fence).toBeGreaterThanOrEqual(real.fences.get(row.ref) ?? 0);
    real.fences.set(row.ref, row.fence);
    const told = entries.filter((entry) => entry.target === row.ref);
    // 3
    expect(told.filter((entry) => entry.event === 'job.succeeded').length).toBe(
      state === 'succeeded' ? 1 : 0,
    );
    // 4
    expect(row.attempt).toBeLessThanOrEqual(row.maxAttempts);
    // 5
    expect(row.endedAt !== null).toBe(['succeeded', 'failed', 'cancelled'].includes(state));
    // 6
    expect([open.has(row.ref), state === 'failed' && row.error === null]).toEqual([
      state === 'failed',
      false,
    ]);
    // 8
    const since = {
      waiting: row.waitingAt,
      queued: row.queuedAt,
      assigned: row.assignedAt,
      running: row.runningAt,
    };
    expect(
      { ...since, succeeded: row.endedAt, failed: row.endedAt, cancelled: row.endedAt }[state],
    ).not.toBeNull();
    // 9
    const of = steps.find(
      ([, , , , event]) => told.findLast((e) => steps.some((s) => s[4] === e.event))?.event === event,
    );
    const reached = steps.filter((step) => step[4] === of?.[4]).map((step) => step[1]);
    expect(reached.length === 0 ? ['waiting', 'queued'] : reached).toContain(state);
  }
  // 7
  const busy = found.filter(({ state }) => state === 'assigned' || state === 'running');
  expect(busy.filter((row) => row.runbook === 'restart').length).toBeLessThanOrEqual(MOST_AT_ONCE);
  expect(busy.length).toBeLessThanOrEqual(3);
}
