import type { Server, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../src/core/store.ts';
import { breakers } from '../../src/domain/breaker.ts';
import { DAY, MINUTE } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { BreakerOpen, Breakers } from '../../src/worker/breakers.ts';
import { execute } from '../../src/worker/executors/index.ts';
import { createGuardedFetch, type GuardedFetch } from '../../src/worker/guard.ts';
import { events, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { deps, execution, runbook, serve } from './executors/bench.ts';
import { flaky, silent, soon } from './support.ts';

const RULES = { failures: 3, open: 10_000, cap: 60_000 };
let h: Harness;
let server: Server;
let url = '';
let seen: readonly unknown[] = [];
let answer: (res: ServerResponse) => void;
let ids = 0;
const breaking = (store: Store = h.store): Breakers =>
  new Breakers({ store, workspace: 'main', rules: RULES, log: silent, newId: () => `t${(ids += 1)}` });
/** What one process has. */
const client = (store?: Store): GuardedFetch =>
  breaking(store).around(createGuardedFetch({ allowedHosts: ['127.0.0.1'] }));

const ask = (fetch: GuardedFetch, over = {}) =>
  fetch({ method: 'GET', url, timeout: 2_000, maxBytes: 100, ...over }).then(
    ({ status }) => status,
    (error: unknown) => error,
  );
const state = async () => (await rows(h, breakers))[0];
const told = async () => (await events(h, /^breaker\./)).map((entry) => entry.event);
const fail = async (fetch: GuardedFetch, times = RULES.failures) => {
  for (let n = 0; n < times; n++) expect(await ask(fetch)).toBe(503);
};

describe.each(DATABASES)('on %s', (_database, open) => {
  beforeEach(async () => {
    h = await open();
    answer = (res) => res.writeHead(503).end();
    const served = await serve((res) => answer(res));
    ({ server, url, seen } = served);
  });
  afterEach(async () => {
    server.close().closeAllConnections();
    await h.close();
  });

  test('failures in a row open it for every process; nothing is sent then, and the answer says until when', async () => {
    const [here, there] = [client(), client()];
    await fail(here, 2);
    await fail(there, 1);
    for (const fetch of [here, there]) {
      const refused = await ask(fetch);
      expect(refused).toBeInstanceOf(BreakerOpen);
      expect(refused).toMatchObject({ code: 'unavailable', retryAfter: 10_000 });
      expect((refused as Error).message).toContain(`is open: status 503; nothing was sent`);
    }
    expect(seen).toHaveLength(3);
    expect(await told()).toEqual(['breaker.opened']);
    expect(await state()).toMatchObject({ id: new URL(url).host, state: 'open', failures: 3 });
  });

  test('the reason is a part of the sentence', () => {
    const refused = new BreakerOpen('a.test:80', 'No answer: ECONNREFUSED.', 1);
    expect(refused.message).toContain('No answer: ECONNREFUSED; nothing was sent.');
  });

  test('an answer in between starts the count anew', async () => {
    const fetch = client();
    await fail(fetch, 2);
    answer = (res) => res.writeHead(404).end();
    expect(await ask(fetch)).toBe(404);
    answer = (res) => res.writeHead(503).end();
    await fail(fetch, 2);
    expect(await state()).toMatchObject({ state: 'closed', failures: 2 });
    expect(await told()).toEqual([]);
  });

  test('a connection that breaks and a time-out count; what is refused here, too large or cancelled does not', async () => {
    const fetch = client();
    answer = (res) => res.destroy();
    await ask(fetch);
    answer = () => undefined;
    await ask(fetch, { timeout: 30 });
    expect((await state())?.failures).toBe(2);
    answer = (res) => res.end('x'.repeat(200));
    expect(await ask(fetch)).toMatchObject({ code: 'too_large' });
    expect(await state()).toBeUndefined();
    answer = (res) => res.writeHead(502).end('x'.repeat(200));
    expect(await ask(fetch)).toMatchObject({ code: 'too_large' });
    expect(await state()).toMatchObject({ failures: 1, reason: 'status 502' });
    answer = (res) => res.end();
    await ask(fetch);
    for (let n = 0; n < 5; n++) await ask(fetch, { headers: { a: 'b\nc' } });
    const cancel = new AbortController();
    answer = () => cancel.abort();
    await ask(fetch, { signal: cancel.signal });
    expect(await state()).toBeUndefined();
  });

  describe('once its time has come', () => {
    beforeEach(async () => {
      await fail(client());
      h.clock.pass(10_000);
    });

    test('an answer that redirects to where we do not go closes it', async () => {
      answer = (res) => res.writeHead(302, { location: 'http://10.0.0.1/' }).end();
      expect(await ask(client())).toMatchObject({ code: 'forbidden' });
      expect(await state()).toBeUndefined();
    });

    test('exactly one request of all processes tries; its answer closes it', async () => {
      const fetches = Array.from({ length: 4 }, () => client());
      const held = Promise.withResolvers<ServerResponse>();
      answer = (res) => held.resolve(res);
      const refused: unknown[] = [];
      const over = { timeout: 20_000 };
      const asked = fetches
        .flatMap((fetch) => [ask(fetch, over), ask(fetch, over)])
        .map((each) => each.then((end) => (typeof end === 'number' ? end : void refused.push(end))));
      const res = await held.promise;
      await soon(() => expect(refused).toHaveLength(7));
      for (const each of refused) expect(each).toBeInstanceOf(BreakerOpen);
      res.writeHead(200).end();
      expect((await Promise.all(asked)).filter((end) => end !== undefined)).toEqual([200]);
      expect(seen).toHaveLength(4);
      expect(await told()).toEqual(['breaker.opened', 'breaker.half_opened', 'breaker.closed']);
      answer = (each) => each.writeHead(200).end();
      expect(await ask(client())).toBe(200);
    });

    test('a trial that fails opens it for twice as long', async () => {
      expect(await ask(client())).toBe(503);
      expect(await ask(client())).toMatchObject({ retryAfter: 20_000 });
      expect(await told()).toEqual(['breaker.opened', 'breaker.half_opened', 'breaker.opened']);
    });

    test('a trial whose job is cancelled leaves it to the next request', async () => {
      const cancel = new AbortController();
      answer = () => cancel.abort();
      await ask(client(), { signal: cancel.signal });
      answer = (res) => res.writeHead(200).end();
      expect(await ask(client())).toBe(200);
      expect(await state()).toBeUndefined();
    });

    test('a trial of a runbook with a long time-out holds it up no longer than the cap', async () => {
      const lost = breaking().around(() => new Promise(() => undefined));
      void ask(lost, { timeout: DAY });
      await expect.poll(async () => (await state())?.state).toBe('half-open');
      h.clock.pass(2 * MINUTE);
      answer = (res) => res.writeHead(200).end();
      expect(await ask(client())).toBe(200);
    });

    test('a trial that was lost with its process holds it up no longer than its time-out and a little', async () => {
      answer = () => undefined;
      const cancel = new AbortController();
      const lost = ask(
        breaking().around(() => new Promise(() => undefined)),
        { signal: cancel.signal },
      );
      await expect.poll(async () => (await state())?.state).toBe('half-open');
      expect(await ask(client())).toMatchObject({ retryAfter: 7_000 });
      h.clock.pass(7_000);
      answer = (res) => res.writeHead(200).end();
      expect(await ask(client())).toBe(200);
      void lost;
    });
  });

  test('one that was opened by a clock a day ahead is tried once the clock is set back', async () => {
    h.clock.pass(DAY);
    await fail(client());
    h.clock.pass(-DAY);
    answer = (res) => res.writeHead(200).end();
    expect(await ask(client())).toBe(200);
  });

  test('there may be more destinations than one page of rows, and each is held off', async () => {
    const dead = breaking().around(() => Promise.reject(new Refusal('unavailable', 'no such name')));
    const many = Array.from({ length: 510 }, (_, n) => `http://h${n}.example.test/`);
    await Promise.all(many.map((each) => ask(dead, { url: each })));
    await fail(client());
    expect(await ask(client())).toBeInstanceOf(BreakerOpen);
    expect((await breaking().open()).map(({ id }) => id)).toEqual([new URL(url).host]);
  });

  test('what nobody has asked for a week is forgotten once another fails', async () => {
    await fail(client());
    const dead = breaking().around(() => Promise.reject(new Refusal('unavailable', 'no such name')));
    await ask(dead, { url: 'http://a.example.test/' });
    h.clock.pass(8 * DAY);
    await ask(dead, { url: 'http://b.example.test/' });
    expect((await rows(h, breakers)).map(({ id }) => id)).toEqual(['b.example.test:80']);
    expect(await told()).toEqual(['breaker.opened', 'breaker.closed']);
  });

  test('a healthy destination costs no write, and at most one read in a second', async () => {
    answer = (res) => res.writeHead(200).end();
    const counted = { reads: 0, writes: 0 };
    const store = new Proxy(h.store, {
      get(target, name) {
        if (name === 'read') counted.reads += 1;
        if (name === 'transaction') counted.writes += 1;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const fetch = client(store);
    await Promise.all(Array.from({ length: 20 }, () => ask(fetch)));
    expect(counted.writes).toBe(0);
    expect(counted.reads).toBeLessThanOrEqual(2);
  });

  test('a database that is away holds up no request', async () => {
    const away = flaky(h.store);
    away.away = true;
    const fetch = client(away.store);
    await fail(fetch, 5);
    expect(seen).toHaveLength(5);
  });

  test('a run meets it as a try that failed for the network, with the time to wait and without a receipt', async () => {
    const both = { breakers: breaking(), fetch: createGuardedFetch({ allowedHosts: ['127.0.0.1'] }) };
    const http = {
      method: 'GET',
      url,
      headers: {},
      body: undefined,
      expectStatus: [200],
      result: undefined,
    } as const;
    const book = runbook({ kind: 'http', ...http });
    for (let n = 0; n < 3; n++) await execute(execution(book), deps(both));
    const run = execution(book);
    expect(await execute(run, deps(both))).toMatchObject({
      kind: 'retry',
      failure: 'network',
      after: 10_000,
    });
    expect(run.effects).toEqual([]);
  });

  test('probes pass an open one and move none', async () => {
    await fail(client());
    const site = { name: 'site', summary: '', method: 'GET', url, headers: {}, timeout: 2_000 } as const;
    const probe = { ...site, expect: { status: [200], headers: {}, latency: undefined } };
    const around = { breakers: breaking(), probes: new Map([['site', probe]]) };
    const before = await state();
    const asked = execution(runbook({ kind: 'probe', probe: 'site' }));
    expect(await execute(asked, deps(around))).toMatchObject({ kind: 'done', result: { status: 503 } });
    expect(asked.effects).toMatchObject([{ kind: 'probe', outcome: '503' }]);
    expect(await state()).toEqual(before);
  });
});
