import type { Server, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MINUTE } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { Breakers } from '../../src/worker/breakers.ts';
import { execute } from '../../src/worker/executors/index.ts';
import { rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { testRunbook, tries } from '../support/runbook.ts';
import { deps, serve } from './executors/bench.ts';
import { jobWorker, now, silent, soon } from './support.ts';

const RULES = { failures: 3, open: 10_000, cap: 20_000 };
const http = (url: string): Runbook['executor'] => ({
  kind: 'http',
  method: 'GET',
  url,
  headers: {},
  body: undefined,
  expectStatus: [200],
  result: undefined,
});

describe.each(DATABASES)('jobs that an open breaker holds off, on %s', (_database, create) => {
  let h: Harness;
  let server: Server;
  let seen: readonly unknown[];
  let answer: (res: ServerResponse) => void;
  let worker: ReturnType<typeof jobWorker>;
  let host: string;
  beforeEach(async () => {
    answer = (res) => res.writeHead(503).end();
    const served = await serve((res) => answer(res));
    ({ server, seen } = served);
    ({ host } = new URL(served.url));
    const call = testRunbook({
      name: 'call',
      tries: tries({ max: 3, backoff: 1_000, cap: 1_000 }),
      executor: http(served.url),
    });
    const thorough = testRunbook({
      name: 'thorough',
      timeout: MINUTE,
      tries: tries({ max: 1 }),
      executor: {
        kind: 'steps',
        steps: [
          { name: 'ask', runbook: { ...call, tries: tries({ max: 1 }) }, args: {}, compensate: undefined },
        ],
      },
    });
    h = await create({ runbooks: new Map([call, thorough].map((book) => [book.name, book])) });
    let ids = 0;
    const newId = () => `t${(ids += 1)}`;
    const breakers = new Breakers({ store: h.store, workspace: 'main', rules: RULES, log: silent, newId });
    worker = jobWorker(h, (e) => execute(e, deps({ breakers, clock: h.clock })), { random: () => 0.5 });
    worker.start();
  });
  afterEach(async () => {
    await worker.stop(now());
    server.close().closeAllConnections();
    await h.close();
  });

  const idle = () =>
    soon(async () => {
      const all = await rows(h, jobs, { orderBy: [{ column: 'id' }] });
      expect(
        all
          .filter(({ state, runAt }) => state !== 'queued' || runAt <= h.clock.now())
          .every(({ state }) => state === 'failed' || state === 'succeeded'),
      ).toBe(true);
      return all;
    });
  const later = async (milliseconds: number) => {
    h.clock.pass(milliseconds);
    worker.wake();
    return idle();
  };
  const open = async () => {
    await h.run('ana', 'job run call');
    await idle();
    for (let n = 0; n < 2; n += 1) await later(1_000);
    expect(seen).toHaveLength(RULES.failures);
  };

  test('use up no try: only what was sent counts', async () => {
    await open();
    for (let n = 0; n < 4; n += 1) await h.run('ana', 'job run call');
    let all = await idle();
    expect(all.slice(1).map(({ state, attempt }) => [state, attempt])).toEqual(
      Array.from({ length: 4 }, () => ['queued', 0]),
    );
    expect(all[1]?.error).toContain(`The breaker of ${host} is open`);
    // Not at the instant at which it may be tried, all of them.
    expect(all[1]?.runAt.getTime()).toBe(h.clock.now().getTime() + 10_000 + 500);
    for (let n = 0; n < 2; n += 1) all = await later(22_000);
    const sent = seen.length - RULES.failures;
    expect(sent).toBe(2);
    expect(all.slice(1).reduce((sum, { attempt }) => sum + attempt, 0)).toBe(sent);
    answer = (res) => res.writeHead(200).end();
    for (let n = 0; n < 3; n += 1) all = await later(22_000);
    expect(all.slice(1).map(({ state }) => state)).toEqual(Array(4).fill('succeeded'));
  });

  test('go on at once when it is reset', async () => {
    await open();
    await h.run('ana', 'job run call');
    await idle();
    answer = (res) => res.writeHead(200).end();
    await h.run('ana', `breaker reset ${host}`);
    worker.wake();
    await soon(async () => expect((await rows(h, jobs)).map(({ state }) => state)).toContain('succeeded'));
  });

  test('as steps neither: the step has its one try left', async () => {
    await open();
    await h.run('ana', 'job run thorough');
    await idle();
    answer = (res) => res.writeHead(200).end();
    const all = await later(12_000);
    expect(all.at(-1)).toMatchObject({ runbook: 'thorough', state: 'succeeded' });
  });
});
