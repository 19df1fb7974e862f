import { randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verifyStandard } from '../../adapters/webhook/verify/standard.ts';
import { ownAlone } from '../../src/core/owned.ts';
import { keepNotified } from '../../src/core/jobs/notifying.ts';
import { effects, outbox } from '../../src/domain/records.ts';
import { createGuardedFetch } from '../../src/worker/guard.ts';
import { createJobNotifier } from '../../src/worker/job-notifier.ts';
import type { JobWorker } from '../../src/worker/jobs.ts';
import { OutboxWorker } from '../../src/worker/outbox.ts';
import { events, rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { jobWorker, now, silent, soon } from './support.ts';

const secret = () => `whsec_${randomBytes(32).toString('base64')}`;
const [SECRET, OLD] = [secret(), secret()];

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly distinct: NodeJS.Dict<string[]>;
  readonly body: Buffer;
}

let h: Harness;
let receiver: Server;
let url: string;
let got: Got[];
/** Status of each answer in turn; 204 when there is none left. */
let answers: (number | [number, Record<string, string>])[];
let worker: JobWorker | undefined;
let deliveries: OutboxWorker;

beforeEach(async () => {
  h = await createHarness({ notify: true });
  got = [];
  answers = [];
  receiver = createServer((req, res) => {
    void buffer(req).then((body) => {
      got.push({ headers: req.headers, distinct: req.headersDistinct, body });
      const next = answers.shift() ?? 204;
      const [status, headers] = typeof next === 'number' ? [next, {}] : next;
      res.writeHead(status, headers).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks/job?team=a`;
});
afterEach(async () => {
  await worker?.stop(now());
  worker = undefined;
  await deliveries?.stop(now());
  receiver.close();
  await h.close();
});

/** Delivers what is queued; redelivery waits for the clock. */
function deliver(allowedHosts: readonly string[] = ['127.0.0.1']): void {
  const notifier = createJobNotifier({
    fetch: createGuardedFetch({ allowedHosts }),
    secrets: [SECRET, OLD],
    clock: h.clock,
    log: silent,
    receipt: (key, id, effect) => h.store.transaction('main', (tx) => keepNotified(tx, key, id, effect)),
  });
  deliveries = new OutboxWorker({
    store: h.store,
    workspace: 'main',
    own: ownAlone,
    clock: h.clock,
    log: silent,
    random: () => 0.5,
    notifiers: new Map([['webhook', notifier]]),
  });
  void deliveries.start();
}

const proof = ({ distinct, body }: Got, secrets = [SECRET]) =>
  verifyStandard(distinct, body, secrets, h.clock.now());
const message = async () => (await rows(h, outbox, { where: { channel: 'webhook' } }))[0];

async function finished(): Promise<void> {
  worker = jobWorker(h, async () => ({ kind: 'done', result: { built: 7 } }));
  worker.start();
  const answer = await h.run('ben', `job run restart --notify ${url}`);
  expect(answer.status, answer.reply.text).toBe('ok');
  await soon(async () => expect(await message()).toBeDefined());
}

test('where an end is posted to is shown as a host, wherever it is shown', async () => {
  await h.run('ben', 'job run restart --notify https://hooks.example.test/T0/SECRETPATH?sig=abcdef');
  await h.run('ben', 'job cancel JOB-1');
  expect((await h.run('vic', 'job show JOB-1')).reply.data).toMatchObject({
    notify: 'https://hooks.example.test',
  });
  const sent = await message();
  expect(sent).toMatchObject({
    lane: 'webhook:https://hooks.example.test',
    address: { to: 'https://hooks.example.test/T0/SECRETPATH?sig=abcdef' },
  });
  expect(JSON.stringify([sent?.reply, await h.entries()])).not.toContain('SECRETPATH');
});

test('an end that the receiver does not take holds up no other', async () => {
  answers = [400];
  for (let n = 1; n <= 3; n += 1) {
    await h.run('ben', `job run restart --notify ${url}`);
    await h.run('ben', `job cancel JOB-${n}`);
  }
  deliver();
  const states = async () => (await rows(h, outbox)).map(({ state, attempts }) => `${state} ${attempts}`);
  await soon(async () => expect(await states()).toEqual(['queued 1', 'sent 0', 'sent 0']));
});

describe('the end of a job', () => {
  test('is posted as the job’s JSON form, signed so that a receiver can verify it', async () => {
    deliver();
    await finished();
    await soon(() => expect(got).toHaveLength(1));
    const [first] = got as [Got];
    expect(proof(first)).toEqual({ delivery: first.headers['webhook-id'] });
    // While a secret is replaced, either will do; nothing else does.
    expect(proof(first, [OLD])).toHaveProperty('delivery');
    expect(proof(first, [secret()])).toHaveProperty('refused');
    expect(proof({ ...first, body: Buffer.from(`${first.body.toString()} `) })).toHaveProperty('refused');
    expect(JSON.parse(first.body.toString())).toMatchObject({
      type: 'job.succeeded',
      timestamp: '2026-03-02T09:00:00.000Z',
      data: { id: 'JOB-1', runbook: 'restart', state: 'succeeded', result: { built: 7 }, requester: 'ben' },
    });
    await soon(async () => expect(await message()).toMatchObject({ state: 'sent' }));
    expect(await rows(h, effects)).toMatchObject([
      {
        job: 'JOB-1',
        kind: 'notify',
        target: new URL(url).origin,
        outcome: '204',
        outboundKey: first.headers['webhook-id'],
      },
    ]);
  });

  test('is posted again under the same id, with a time and a signature of its own', async () => {
    answers = [500, [429, { 'retry-after': '7' }]];
    deliver();
    await finished();
    await soon(async () => expect(await message()).toMatchObject({ attempts: 1 }));
    h.clock.pass(2_000);
    deliveries.wake();
    await soon(async () => expect(await message()).toMatchObject({ attempts: 2 }));
    expect((await message())?.nextAt.getTime()).toBe(h.clock.now().getTime() + 7_000);
    h.clock.pass(7_000);
    deliveries.wake();
    await soon(async () => expect(await message()).toMatchObject({ state: 'sent' }));
    expect(new Set(got.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(got.map(({ headers }) => headers['webhook-signature'])).size).toBe(3);
    expect(new Set(got.map(({ body }) => body.toString())).size).toBe(1);
    for (const one of got.slice(-1)) expect(proof(one)).toHaveProperty('delivery');
    expect((await rows(h, effects)).map(({ outcome }) => outcome)).toEqual(['500', '429', '204']);
  });

  test('is given up where the receiver wants no more, which is a dead letter', async () => {
    answers = [410];
    deliver();
    await finished();
    await soon(async () => expect(await message()).toMatchObject({ state: 'dead' }));
    expect(await events(h, /^message\.dead$/)).toMatchObject([
      { target: expect.stringMatching(/^job:JOB-1:\d+:notify$/) },
    ]);
    expect(await events(h, /^job\.dead$/)).toMatchObject([{ target: 'JOB-1', details: { stage: 'report' } }]);
  });

  test('does not reach what operators did not open, nor follow a redirect there', async () => {
    deliver([]);
    await finished();
    await soon(async () => expect(await message()).toMatchObject({ state: 'dead' }));
    expect((await message())?.error).toContain('not a public address');
    expect(got).toEqual([]);
    expect((await rows(h, effects)).map(({ outcome }) => outcome)).toEqual(['refused']);
  });

  test('a redirect is an answer like any other that is no 2xx', async () => {
    answers = [[307, { location: 'http://127.0.0.1:1/' }]];
    deliver();
    await finished();
    await soon(async () =>
      expect(await message()).toMatchObject({ attempts: 1, error: 'The receiver answered 307.' }),
    );
    expect(got).toHaveLength(1);
  });
});

test('a job that is denied or cancelled before it ran has an end, too', async () => {
  await h.run('ben', `job run deploy --env staging --notify ${url}`);
  await h.run('ben', 'approval cancel APR-1');
  await h.run('ben', `job run restart --notify ${url}`);
  await h.run('ben', 'job cancel JOB-2');
  const queued = await rows(h, outbox, { where: { channel: 'webhook' }, orderBy: [{ column: 'id' }] });
  expect(queued.map(({ reply }) => (reply as { reply: { data: { type: string } } }).reply.data.type)).toEqual(
    ['job.cancelled', 'job.cancelled'],
  );
});
