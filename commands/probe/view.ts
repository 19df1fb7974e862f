import type { JsonObject } from '../../src/domain/json.ts';
import type { Probe, ProbeStateRow } from '../../src/domain/probe.ts';

/** The one JSON form of a probe, with what it last saw. */
export function probeView(probe: Probe, row: ProbeStateRow | undefined): JsonObject {
  const { status, headers, latency } = probe.expect;
  return {
    id: probe.name,
    summary: probe.summary,
    method: probe.method,
    url: probe.url,
    expect: { status, headers, latency: latency ?? null },
    state: row?.state ?? 'unknown',
    since: row?.since.toISOString() ?? null,
    checkedAt: row?.checkedAt.toISOString() ?? null,
    latency: row?.latency ?? null,
    failures: row?.failures ?? [],
  };
}
