import type { Tx } from '../../src/core/store.ts';
import type { jobs } from '../../src/domain/job.ts';
import type { NewRow } from '../../src/domain/table.ts';

let made = 0;
/** A job of the runbook `work` that waits for nothing but to be queued. */
export function newJob(tx: Tx, over: Partial<NewRow<typeof jobs>> = {}): NewRow<typeof jobs> {
  made += 1;
  return {
    id: tx.id(),
    ref: `JOB-${made}`,
    runbook: 'work',
    args: {},
    digest: '',
    state: 'waiting',
    requester: 'ana',
    approval: null,
    attempt: 0,
    maxAttempts: 5,
    runAt: tx.now,
    leaseUntil: null,
    leaseOwner: null,
    fence: 0,
    cancelRequested: false,
    result: null,
    error: null,
    correlationId: 'c',
    cause: null,
    replyTo: null,
    createdAt: tx.now,
    startedAt: null,
    endedAt: null,
    priority: 0,
    capability: 'default',
    ticket: null,
    key: null,
    asked: null,
    causes: [],
    waitingAt: tx.now,
    queuedAt: null,
    assignedAt: null,
    runningAt: null,
    causedAt: null,
    inboundKey: null,
    phase: 'forward',
    waitFor: null,
    waitUntil: null,
    failure: null,
    stoppedBy: null,
    progress: null,
    usage: null,
    notify: null,
    repeats: null,
    chain: ['ana'],
    scopes: ['*'],
    plan: null,
    ...over,
  };
}
