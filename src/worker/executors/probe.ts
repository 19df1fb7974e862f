import { clip } from '../../domain/clip.ts';
import { asRefusal, Refusal } from '../../domain/errors.ts';
import type { Outcome } from '../../domain/job.ts';
import { assess, type Probe } from '../../domain/probe.ts';
import type { GuardedResponse } from '../guard.ts';
import type { Execution, ExecutorDeps } from './execution.ts';
import { Templates } from './template.ts';

/** What a probe reads of a body before it calls it too large. */
const MAX_BODY = 1_048_576;
/** Headers worth keeping besides those the probe asks about. */
const KEPT = ['content-type', 'content-length', 'location', 'server', 'date', 'retry-after'];

export interface ProbeResult {
  readonly state: 'ok' | 'failed';
  /** What was not as expected, one line each. */
  readonly failures: readonly string[];
  /** Absent when there was no answer. */
  readonly status?: number;
  /** Milliseconds; absent when there was no answer. */
  readonly latency?: number;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Asks a probe's question once. No answer at all is an observation too: the job is done, and says `failed`. Only a probe
 * that cannot be asked (a URL or a destination that is not allowed, a missing variable) fails the job. It passes open
 * circuit breakers and moves none: whether the destination is up is just what it asks.
 */
export async function runProbe(execution: Execution, deps: ExecutorDeps): Promise<Outcome> {
  const { executor } = execution.runbook;
  if (executor.kind !== 'probe') throw new TypeError(`${execution.runbook.name} is no probe runbook`);
  const probe = deps.probes.get(executor.probe);
  if (probe === undefined) return { kind: 'fail', reason: `There is no probe "${executor.probe}".` };
  const templates = new Templates({}, deps);
  const startedAt = deps.clock.now();
  try {
    const result = await ask(probe, deps, templates, execution.signal);
    execution.effect({
      kind: 'probe',
      target: clip(templates.hide(withoutQuery(templates.fill(probe.url, 'url'))), 500),
      outcome: String(result.status ?? 'no answer'),
      result: { ...result },
      startedAt,
      endedAt: deps.clock.now(),
    });
    for (const failure of result.failures) execution.log('err', failure);
    execution.log('info', `${probe.name}: ${result.state}`);
    return { kind: 'done', result: { ...result } };
  } catch (error) {
    if (execution.signal.aborted) return { kind: 'cancelled' };
    const refusal = asRefusal(error);
    if (refusal.code === 'internal') throw error;
    return { kind: 'fail', failure: 'refused', stage: 'start', reason: templates.hide(refusal.message) };
  }
}

const withoutQuery = (url: string): string => url.replace(/[?#].*$/s, '');

async function ask(
  probe: Probe,
  { fetch }: ExecutorDeps,
  templates: Templates,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { method, timeout, expect } = probe;
  const url = templates.fill(probe.url, 'url', 'the address');
  const headers = templates.fillAll(probe.headers, 'the header');
  const redirect = expect.status.some((status) => status >= 300 && status < 400);
  try {
    const request = { method, url, headers, timeout, maxBytes: MAX_BODY, signal };
    const answer = await fetch(redirect ? { ...request, maxRedirects: 0 } : request);
    return observed(probe, answer, templates);
  } catch (error) {
    const unanswered =
      error instanceof Refusal && (error.code === 'unavailable' || error.code === 'too_large');
    if (signal.aborted || !unanswered) throw error;
    return { state: 'failed', failures: [templates.hide(error.message)], headers: {} };
  }
}

function observed(
  probe: Probe,
  { status, headers, latency }: GuardedResponse,
  templates: Templates,
): ProbeResult {
  const names = new Set([...KEPT, ...Object.keys(probe.expect.headers).map((name) => name.toLowerCase())]);
  const failures = assess(probe.expect, { status, headers, latency }).map((line) => templates.hide(line));
  const kept = Object.entries(headers).filter(([name]) => names.has(name));
  return {
    state: failures.length === 0 ? 'ok' : 'failed',
    failures,
    status,
    latency: Math.round(latency),
    headers: Object.fromEntries(kept.map(([name, value]) => [name, templates.hide(value)])),
  };
}
