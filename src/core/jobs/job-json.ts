import { notifyOrigin, type JobRow, type Wait } from '../../domain/job.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import { redact } from '../../domain/redact.ts';
import { usageView } from '../../domain/usage.ts';

const at = (instant: Date | null): string | null => instant?.toISOString() ?? null;

/** The one JSON form of a job, for whoever may read jobs: without secrets among the arguments. Instants are RFC 3339 in UTC. */
export function jobView(row: JobRow): JsonObject {
  return {
    id: row.ref,
    version: row.version,
    runbook: row.runbook,
    args: redact(row.args),
    state: row.state,
    phase: row.phase,
    requester: row.requester,
    approval: row.approval,
    priority: row.priority,
    capability: row.capability,
    key: row.key,
    causes: row.causes,
    repeats: row.repeats,
    attempt: row.attempt,
    maxAttempts: row.maxAttempts,
    cancelRequested: row.cancelRequested,
    waitsFor: row.waitFor && { ...waitView(row.waitFor), until: at(row.waitUntil) },
    progress: row.progress as Json,
    usage: row.usage && usageView(row.usage),
    result: (row.result ?? null) as Json,
    error: row.error,
    failure: row.failure,
    stoppedBy: row.stoppedBy,
    notify: row.notify && notifyOrigin(row.notify),
    correlationId: row.correlationId,
    createdAt: row.createdAt.toISOString(),
    runAt: row.runAt.toISOString(),
    waitingAt: at(row.waitingAt),
    queuedAt: at(row.queuedAt),
    assignedAt: at(row.assignedAt),
    runningAt: at(row.runningAt),
    startedAt: at(row.startedAt),
    endedAt: at(row.endedAt),
  };
}

/** Why it failed, with the bound that was met unless the reason names it: `busy (stopped by tries.max)`. */
export function errorText({ error, stoppedBy }: Pick<JobRow, 'error' | 'stoppedBy'>): string | null {
  if (error === null || stoppedBy === null || error.includes(stoppedBy)) return error;
  return `${error} (stopped by ${stoppedBy})`;
}

function waitView(wait: Wait): JsonObject {
  switch (wait.kind) {
    case 'approval':
      return { kind: wait.kind, approval: wait.approval };
    case 'event':
      return { kind: wait.kind, event: wait.event, when: wait.when ?? null };
    case 'time':
      return { kind: wait.kind };
  }
}
