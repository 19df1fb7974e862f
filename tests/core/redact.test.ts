import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import type { Outcome } from '../../src/domain/job.ts';
import { execute } from '../../src/worker/executors/index.ts';
import type { ExecutorDeps } from '../../src/worker/executors/execution.ts';
import { createGuardedFetch } from '../../src/worker/guard.ts';
import { JobWorker } from '../../src/worker/jobs.ts';
import pino from 'pino';
import { jobLogs, jobs } from '../../src/domain/job.ts';
import { outbox, receipts } from '../../src/domain/records.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { testRunbook } from '../support/runbook.ts';
import { onSlack, rows } from './support.ts';

// Joined, so that no scanner takes it for the real thing.
const KEY = ['gh', 'p_', 'z'.repeat(36)].join('');
const PASSWORD = 'hunter2-and-more';

let h: Harness;
beforeEach(async () => {
  const args = {
    type: 'object',
    properties: { password: { type: 'string' }, note: { type: 'string' } },
    additionalProperties: false,
  };
  const print = `console.log(process.argv[1], process.argv[2]); console.error('bad ' + process.argv[1]); process.exit(3)`;
  const argv = ['node', '-e', print, '--', '${env:PASSWORD}', '${env:KEY}'];
  const rotate = testRunbook({ name: 'rotate', args, executor: { kind: 'shell', argv, env: {} } });
  h = await createHarness({ runbooks: new Map([['rotate', rotate]]) });
});
afterEach(() => h.close());

const everything = async () =>
  JSON.stringify([
    await h.entries(),
    await rows(h, receipts),
    await rows(h, outbox),
    await rows(h, jobLogs),
    await rows(h, jobs),
  ]);

test('secrets reach no journal, receipt, job, outgoing message or log line', async () => {
  const rotate = (args: JsonObject) => ({ command: 'job.run', args: { runbook: 'rotate', args } });
  for (const [n, args] of [{ password: PASSWORD }, { note: KEY }].entries()) {
    const refused = await h.run('', rotate(args), { ...onSlack('ben'), dedupeKey: `k0${n}` });
    expect(refused.error?.code).toBe('invalid_argument');
    expect(refused.reply.text).toMatch(/^--(?:password|note) looks like a secret, .* \$\{env:NAME\}/);
  }
  expect(await rows(h, jobs)).toEqual([]);
  await h.run('', rotate({}), { ...onSlack('ben'), dedupeKey: 'k1' });
  await h.run('', `task create "use ${KEY}" --description "${KEY}"`, { ...onSlack('ben'), dedupeKey: 'k2' });
  await h.run('', `task create "${KEY}"`, { ...onSlack('vic'), dedupeKey: 'k3' });
  await h.run('', `task comment TSK-1 "${KEY}"`, { ...onSlack('ben'), dedupeKey: 'k4' });
  await h.run('', `person add eve --nonsense ${KEY}`, { ...onSlack('ana'), dedupeKey: 'k5' });
  const deps: ExecutorDeps = {
    fetch: createGuardedFetch({ allowedHosts: [] }),
    env: { PATH: process.env['PATH'], PASSWORD, KEY },
    clock: h.clock,
    probes: new Map(),
  };
  const ended: Outcome[] = [];
  const worker = new JobWorker({
    store: h.store,
    catalog: h.catalog,
    clock: h.clock,
    log: pino({ level: 'silent' }),
    owner: 'w1',
    execute: (execution) => execute(execution, deps),
    ended: (_job, outcome) => ended.push(outcome),
  });
  worker.start();
  await vi.waitFor(() => expect(ended).toHaveLength(1), { interval: 10, timeout: 10_000 });
  await worker.stop(AbortSignal.timeout(1_000));
  const kept = await everything();
  expect(kept).toContain('bad [redacted]');
  expect(kept).not.toContain(PASSWORD);
  expect(kept).not.toContain(KEY);
  expect((await h.run('vic', 'job show JOB-1')).reply.data).toMatchObject({
    error: 'exit code 3: bad [redacted]',
  });
});

test('a key that was made is nowhere in the file, but for its digest', async () => {
  const answer = await h.run('ana', 'key create desk', { dedupeKey: 'k1' });
  const key = /sb_[\w-]+/.exec(JSON.stringify(answer))?.[0] ?? '';
  const secret = key.split('_').slice(2).join('_');
  expect(secret.length).toBeGreaterThan(40);
  const { file } = h;
  await h.store.close();
  expect(readFileSync(file).includes(secret)).toBe(false);
});
