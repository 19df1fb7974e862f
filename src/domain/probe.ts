import { SECOND } from './clock.ts';
import type { JsonObject } from './json.ts';
import { DEFAULT_CAPABILITY, type Runbook } from './runbook.ts';
import { int, json, table, text, time, type Row } from './table.ts';

/** A question with an expected answer. */
export interface Probe {
  readonly name: string;
  readonly summary: string;
  readonly method: 'GET' | 'HEAD' | 'OPTIONS' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds for the whole exchange. */
  readonly timeout: number;
  readonly expect: {
    readonly status: readonly number[];
    /** Header name → regular expression its value must match; `null`: must be absent. */
    readonly headers: Readonly<Record<string, string | null>>;
    /** Milliseconds at most. */
    readonly latency: number | undefined;
  };
}

export interface Observation {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly latency: number;
}

/** The last run of each probe; the id is the probe's name. State changes are journalled, samples are not. */
export const probeStates = table('probe_states', {
  state: text<'ok' | 'failed'>(),
  since: time(),
  checkedAt: time(),
  latency: int(),
  failures: json<readonly string[]>(),
  observation: json<JsonObject>(),
});

export type ProbeStateRow = Row<typeof probeStates>;

/** How the names of jobs that ask a probe begin. */
export const PROBE = 'probe:';

/** A probe as a runbook of one try, so that running it is a job like any other. */
export function probeRunbook(probe: Probe): Runbook {
  return {
    name: `${PROBE}${probe.name}`,
    summary: probe.summary,
    args: { type: 'object', additionalProperties: false },
    risk: 'read',
    permission: 'probe:run',
    timeout: probe.timeout + SECOND,
    tries: { max: 1, backoff: SECOND, cap: SECOND, on: {}, budget: undefined },
    approval: undefined,
    bounds: { logLines: 100, outputBytes: 100_000, steps: 1, concurrency: undefined, queued: undefined },
    priority: 0,
    capability: DEFAULT_CAPABILITY,
    executor: { kind: 'probe', probe: probe.name },
  };
}

/** What the answer fails of what was expected, one line each; empty: as expected. */
export function assess(expect: Probe['expect'], seen: Observation): string[] {
  const failures: string[] = [];
  if (!expect.status.includes(seen.status))
    failures.push(`status: expected ${expect.status.join(' or ')}, got ${seen.status}`);
  for (const [name, pattern] of Object.entries(expect.headers)) {
    const value = seen.headers[name.toLowerCase()];
    if (pattern === null) {
      if (value !== undefined) failures.push(`header ${name}: expected none, got "${value}"`);
    } else if (value === undefined) failures.push(`header ${name}: expected /${pattern}/, got none`);
    else if (!new RegExp(pattern, 'i').test(value))
      failures.push(`header ${name}: expected /${pattern}/, got "${value}"`);
  }
  if (expect.latency !== undefined && seen.latency > expect.latency)
    failures.push(`latency: expected at most ${expect.latency} ms, got ${Math.round(seen.latency)} ms`);
  return failures;
}
