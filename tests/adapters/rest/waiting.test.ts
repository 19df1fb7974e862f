import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFeed } from '../../../src/core/live-feed.ts';
import type { Inbound } from '../../../src/core/message.ts';
import { identity, job } from '../../core/support.ts';
import { DATABASES } from '../../support/databases.ts';
import type { Harness } from '../../support/harness.ts';
import { testRunbook } from '../../support/runbook.ts';
import { restWorld } from './world.ts';

const render = testRunbook({ name: 'render', capability: 'gpu', executor: { kind: 'remote' } });
const local = testRunbook({ name: 'local', capability: 'gpu' });

describe.each(DATABASES)('a request that waits, on %s', (_database, create) => {
  let h: Harness;
  let world: Awaited<ReturnType<typeof restWorld>>;
  let messages: Inbound[];
  beforeEach(async () => {
    h = await create({ runbooks: new Map([render, local].map((book) => [book.name, book])) });
    messages = [];
    world = await restWorld({
      commands: h.commands,
      catalog: h.catalog,
      store: h.store,
      feed: createFeed(h.store),
      clock: h.clock,
      receive: (message) => {
        messages.push(message);
        return h.receive({ ...message, from: identity('principal', 'ana') });
      },
    });
  });
  afterEach(async () => {
    await world.close();
    await h.close();
  });

  const claim = (headers: Record<string, string> = {}) =>
    world.post('/v1/jobs/claim', { capabilities: ['gpu'], wait: 20 }, headers);
  const itemsOf = async (answer: Promise<Response>) =>
    ((await (await answer).json()) as { items: { id: string; claim: string }[] }).items;
  /** It has looked, and found nothing. */
  const waiting = (read: { readonly mock: { readonly calls: unknown[] } }, looks = 1) =>
    vi.waitFor(() => expect(read.mock.calls.length).toBeGreaterThanOrEqual(looks), {
      interval: 5,
      timeout: 15_000,
    });

  test('is woken by what it waits for alone, and counts as one message', async () => {
    const read = vi.spyOn(h.store, 'read');
    const answer = claim();
    await waiting(read);
    for (let n = 0; n < 5; n += 1) await h.run('ana', 'job run local');
    expect(messages).toHaveLength(1);
    await h.run('ana', 'job run render');
    expect((await itemsOf(answer)).map(({ id }) => id)).toEqual(['JOB-6']);
    expect(messages.map(({ counted }) => counted)).toEqual([undefined, true]);
    expect(read.mock.calls.length).toBeLessThanOrEqual(3);
  });

  test('looks again when the time of a job has come that is not due yet', async () => {
    const read = vi.spyOn(h.store, 'read');
    await h.run('ana', 'job run render --in 1s');
    const answer = claim();
    await waiting(read);
    expect(messages).toHaveLength(1);
    h.clock.pass(1_000);
    expect(await itemsOf(answer)).toHaveLength(1);
  });

  test('under a key is no answer for good while it has found nothing', async () => {
    const key = { 'idempotency-key': 'claim-1' };
    const read = vi.spyOn(h.store, 'read');
    const answers = [claim(key), claim(key)];
    await waiting(read, 2);
    await h.run('ana', 'job run render');
    await h.run('ana', 'job run render');
    const [first, second] = await Promise.all(answers.map(itemsOf));
    expect(first).toMatchObject([{ id: 'JOB-1' }]);
    expect(second).toEqual(first);
    expect((await job(h, 'JOB-2')).state).toBe('queued');
  });

  test('says its news once, and hears of a cancel', async () => {
    await h.run('ana', 'job run render');
    const [mine] = await itemsOf(claim());
    const read = vi.spyOn(h.store, 'read');
    const answer = world.post(
      `/v1/jobs/${mine?.id}/heartbeat`,
      { claim: mine?.claim, lines: [{ line: 'once' }], wait: 10 },
      { 'idempotency-key': 'beat-1' },
    );
    await waiting(read);
    await h.run('ana', 'job cancel JOB-1');
    expect(await (await answer).json()).toMatchObject({ stop: 'cancelled' });
    const logs = await h.run('ana', 'job logs JOB-1');
    expect(logs.reply.text).toBe('once');
  });
});
