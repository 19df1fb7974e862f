import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/message.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { probeStates, type Probe } from '../../src/domain/probe.ts';
import { execute } from '../../src/worker/executors/index.ts';
import { createGuardedFetch } from '../../src/worker/guard.ts';
import type { JobWorker } from '../../src/worker/jobs.ts';
import { events, job, rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { jobWorker, now, soon } from '../worker/support.ts';

let h: Harness;
let server: Server;
let worker: JobWorker;
let status = 200;
beforeEach(async () => {
  status = 200;
  server = createServer((_req, res) =>
    res.writeHead(status, { 'content-type': 'application/json' }).end('{}'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const probe: Probe = {
    name: 'api',
    summary: 'The API answers',
    method: 'GET',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`,
    headers: {},
    timeout: 2 * SECOND,
    expect: { status: [200], headers: { 'content-type': 'json' }, latency: undefined },
  };
  h = await createHarness({ probes: new Map([['api', probe]]) });
  const deps = {
    fetch: createGuardedFetch({ allowedHosts: ['127.0.0.1'] }),
    env: {},
    clock: h.clock,
    probes: h.catalog.probes,
  };
  worker = jobWorker(h, (execution) => execute(execution, deps));
  worker.start();
});
afterEach(async () => {
  await worker.stop(now());
  await h.close();
  server.closeAllConnections();
  server.close();
});

const run = (text: string, who = 'ben'): Promise<Answer> => h.run(who, text);
let asked = 0;
beforeEach(() => {
  asked = 0;
});
const ask = async () => {
  expect((await run('probe run api')).status).toBe('ok');
  asked += 1;
  const ref = `JOB-${asked}`;
  await soon(async () => expect((await job(h, ref)).state).toBe('succeeded'));
};
const changes = async () => (await events(h, /^probe\./)).map((e) => [e.event, e.details['from']]);

test('a change of state is journalled once; samples in between replace one another', async () => {
  await ask();
  await ask();
  const first = (await rows(h, probeStates))[0];
  status = 500;
  h.clock.pass(SECOND);
  await ask();
  h.clock.pass(SECOND);
  await ask();
  status = 200;
  await ask();
  expect(await changes()).toEqual([
    ['probe.ok', 'unknown'],
    ['probe.failed', 'ok'],
    ['probe.ok', 'failed'],
  ]);
  expect((await events(h, /^probe\.failed$/))[0]).toMatchObject({
    target: 'api',
    actor: 'system',
    details: { job: 'JOB-3', failures: ['status: expected 200, got 500'] },
  });
  const states = await rows(h, probeStates);
  expect(states).toMatchObject([{ id: 'api', state: 'ok', failures: [], checkedAt: h.clock.now() }]);
  expect(states[0]?.since).not.toEqual(first?.since);
});

test('a probe that got no answer has failed, which is a finding and not a failure of the job', async () => {
  await ask();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  await ask();
  expect((await rows(h, probeStates))[0]).toMatchObject({
    state: 'failed',
    failures: [expect.stringContaining('No answer')],
  });
  expect(await changes()).toHaveLength(2);
});

describe('probe list and show', () => {
  test('tell what was last seen, and since when it has been so', async () => {
    expect((await run('probe list')).reply.text).toBe('api [unknown] The API answers');
    await ask();
    const since = h.clock.now();
    h.clock.pass(SECOND);
    await ask();
    expect((await run('probe list', 'vic')).reply.text).toBe('api [ok] The API answers');
    const shown = (await run('probe show api')).reply;
    expect(shown.text).toMatch(/^api \[ok\] GET http:.*\(since 2026-03-02T09:00:00\.000Z, \d+ ms\)$/);
    expect(shown.data).toMatchObject({
      id: 'api',
      state: 'ok',
      since: since.toISOString(),
      checkedAt: h.clock.now().toISOString(),
      expect: { status: [200], latency: null },
    });
  });

  test('know what is configured', async () => {
    expect((await run('probe show apo')).reply.text).toContain('Did you mean api?');
    expect((await run('probe run nothing')).error?.code).toBe('not_found');
    expect((await run('probe run api', 'vic')).error?.code).toBe('forbidden');
  });
});
