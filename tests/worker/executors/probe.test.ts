import type { Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import type { Outcome } from '../../../src/domain/job.ts';
import type { Probe } from '../../../src/domain/probe.ts';
import { runProbe } from '../../../src/worker/executors/probe.ts';
import { createGuardedFetch } from '../../../src/worker/guard.ts';
import { deps, execution, runbook, serve, type Run } from './bench.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

const probe = (url: string, wanted: Partial<Probe['expect']> = {}, changes: Partial<Probe> = {}): Probe => ({
  name: 'site',
  summary: 'Is the site up?',
  method: 'GET',
  url,
  headers: {},
  timeout: 5_000,
  expect: { status: [200], headers: {}, latency: undefined, ...wanted },
  ...changes,
});

async function run(asked: Probe, changes = {}): Promise<{ outcome: Outcome; lines: Run['lines'] }> {
  const tried = execution(runbook({ kind: 'probe', probe: 'site' }));
  const outcome = await runProbe(tried, deps({ probes: new Map([['site', asked]]), ...changes }));
  return { outcome, lines: tried.lines };
}

async function far(status: number, headers: Record<string, string> = {}): Promise<string> {
  const { url, server } = await serve((res) => res.writeHead(status, headers).end());
  servers.push(server);
  return url;
}

test('as expected', async () => {
  const url = await far(200, { 'strict-transport-security': 'max-age=63072000', 'x-other': '1' });
  const { outcome, lines } = await run(
    probe(url, { headers: { 'Strict-Transport-Security': 'max-age=\\d+', 'X-Powered-By': null } }),
  );
  expect(outcome).toMatchObject({
    kind: 'done',
    result: {
      state: 'ok',
      failures: [],
      status: 200,
      headers: { 'strict-transport-security': 'max-age=63072000' },
    },
  });
  expect(JSON.stringify(outcome)).not.toContain('x-other');
  expect(lines).toEqual(['info site: ok']);
});

test('not as expected', async () => {
  const url = await far(500, { 'x-powered-by': 'php' });
  const { outcome, lines } = await run(probe(url, { headers: { 'x-powered-by': null }, latency: -1 }));
  expect(outcome).toMatchObject({ kind: 'done', result: { state: 'failed', status: 500 } });
  expect(lines.slice(0, 2)).toEqual([
    'err status: expected 200, got 500',
    'err header x-powered-by: expected none, got "php"',
  ]);
  expect(lines[2]).toMatch(/^err latency: expected at most -1 ms/);
});

test('a redirect is followed unless it is what is expected', async () => {
  const url = await far(301, { location: 'https://example.test/' });
  const { outcome } = await run(probe(url, { status: [301], headers: { location: '^https:' } }));
  expect(outcome).toMatchObject({ kind: 'done', result: { state: 'ok', status: 301 } });
});

test('no answer is a failed observation, not a failed job', async () => {
  const { outcome, lines } = await run(probe('http://127.0.0.1:1/'));
  const failures = ['No answer: ECONNREFUSED.'];
  expect(outcome).toEqual({ kind: 'done', result: { state: 'failed', failures, headers: {} } });
  expect(lines).toEqual(['err No answer: ECONNREFUSED.', 'info site: failed']);
  const { url, server } = await serve(() => undefined);
  servers.push(server);
  expect((await run(probe(url, {}, { timeout: 50 }))).outcome).toMatchObject({
    kind: 'done',
    result: { state: 'failed', failures: ['No whole answer within 50 ms.'] },
  });
});

test('a probe that cannot be asked fails the job', async () => {
  const url = await far(200);
  const closed = { fetch: createGuardedFetch({ allowedHosts: [] }) };
  expect((await run(probe(url), closed)).outcome).toMatchObject({
    kind: 'fail',
    reason: expect.stringContaining('allowedHosts'),
  });
  expect((await run(probe(url, {}, { headers: { a: '${env:NOTHING}' } }))).outcome).toMatchObject({
    kind: 'fail',
  });
  expect((await run(probe(url), { probes: new Map() })).outcome).toEqual({
    kind: 'fail',
    reason: 'There is no probe "site".',
  });
});

test('a cancel', async () => {
  const asked = probe(await far(200));
  const tried = execution(runbook({ kind: 'probe', probe: 'site' }), {}, AbortSignal.abort());
  expect(await runProbe(tried, deps({ probes: new Map([['site', asked]]) }))).toEqual({ kind: 'cancelled' });
});
