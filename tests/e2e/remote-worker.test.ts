import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Client, Refused, sleep } from '../../examples/remote-worker/client.ts';
import { work, type Handler } from '../../examples/remote-worker/worker.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { remoteWorld, SERVERS } from './support/remote.ts';
import { Rest } from './support/rest.ts';
import { soon } from './support/soon.ts';

const EXAMPLE = resolve(import.meta.dirname, '../../examples/remote-worker/main.ts');

let admin: Rest;
let url: string;
let token: string;
let pass: (milliseconds: number) => void;

/** The example as it stands, in a process of its own. */
function startExample() {
  const env = { PATH: process.env['PATH'], SIGNALBOX_URL: url, SIGNALBOX_TOKEN: token };
  const child = spawn(process.execPath, [EXAMPLE], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = once(child, 'close');
  const stop = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  };
  onTestFinished(async () => void (await stop('SIGKILL')));
  return { stop };
}

/** The example's loop with other work, in this process. */
function startWork(handler: Handler): void {
  const stop = new AbortController();
  const done = work(new Client(url, token), ['counting'], handler, { signal: stop.signal });
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
}

const job = async (id = 'JOB-1') =>
  (await admin.get(`/v1/jobs/${id}`)).body as unknown as Record<string, unknown> & { state: string };
const until = (state: string, id = 'JOB-1') =>
  soon(async () => {
    const seen = await job(id);
    expect(seen.state, JSON.stringify(seen)).toBe(state);
    return seen;
  });

describe.each(SERVERS)('%s', (...servers) => {
  beforeEach(async () => {
    ({ admin, url, token, pass } = await remoteWorld(servers));
  });

  describe('the example', () => {
    test('claims, tells, completes, and ends when it is asked to', async () => {
      const example = startExample();
      await admin.command('job run count --to 40');
      await soon(async () =>
        expect((await job())['progress']).toMatchObject({ text: expect.stringMatching(/of 40$/) }),
      );
      expect(await until('succeeded')).toMatchObject({
        result: { counted: 40 },
        usage: { units: { numbers: 40 } },
        attempt: 1,
      });
      const { body: logs } = await admin.get('/v1/jobs/JOB-1/logs');
      expect(logs.items).toContainEqual(
        expect.objectContaining({ stream: 'out', line: 'JOB-1, try 1: counting to 40' }),
      );
      const { body: made } = await admin.get('/v1/artifacts');
      expect(made.items).toMatchObject([{ job: 'JOB-1', name: 'numbers.txt' }]);
      expect(await example.stop('SIGTERM')).toBe(0);
    });

    test('a failure that may pass is tried again, one that stays ends in a dead letter', async () => {
      startExample();
      await admin.command('job run count --to 1 --fail once');
      expect(await until('succeeded')).toMatchObject({ attempt: 2 });
      await admin.command('job run count --to 1 --fail always');
      expect(await until('failed', 'JOB-2')).toMatchObject({
        attempt: 3,
        failure: 'server',
        error: 'lost count',
      });
    });

    test('one that is killed: another goes on once the lease is over', async () => {
      const first = startExample();
      await admin.command('job run count --to 1000');
      await until('running');
      await first.stop('SIGKILL');
      pass(31 * SECOND);
      const again: number[] = [];
      startWork(async ({ attempt, idempotencyKey }) => {
        again.push(attempt);
        return { result: { idempotencyKey } };
      });
      const { result } = await until('succeeded');
      expect(again).toEqual([2]);
      expect(result).toMatchObject({ idempotencyKey: expect.stringMatching(/^[0-9a-f]{64}$/) });
    });
  });

  test('a cancel reaches the work within two seconds', async () => {
    const begun = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<number>();
    startWork(async (_work, told, signal) => {
      signal.addEventListener('abort', () => stopped.resolve(performance.now()));
      begun.resolve();
      for (;;) {
        told.log('still at it');
        await sleep(5_000, signal);
      }
    });
    await admin.command('job run count --to 1');
    await begun.promise;
    const asked = performance.now();
    await admin.command('job cancel JOB-1');
    expect((await stopped.promise) - asked).toBeLessThan(2_000);
    await until('cancelled');
  });

  test('a claim that was lost is refused; who has it now is not disturbed', async () => {
    const client = new Client(url, token);
    await admin.command('job run count --to 1');
    const [lost] = await client.claim(['counting']);
    pass(31 * SECOND);
    const [held] = await client.claim(['counting']);
    expect([lost?.claim, held?.claim]).toEqual(['1', '2']);
    if (!lost || !held) throw new Error('nothing was claimed');
    for (const late of [client.heartbeat(lost), client.complete(lost, {}), client.fail(lost, 'late')])
      await expect(late).rejects.toMatchObject({ name: 'Refused', code: 'conflict' });
    await client.complete(held, { result: { fine: true } });
    // The answer was lost, so it is said again.
    await client.complete(held, { result: { fine: true } });
    expect(await job()).toMatchObject({ state: 'succeeded', result: { fine: true }, attempt: 2 });
  });

  describe('waiting for work', () => {
    test('ends as soon as there is one, and gives it to one of those who wait', async () => {
      const client = new Client(url, token);
      const waiting = [client.claim(['counting']), client.claim(['counting'])];
      await admin.command('job run count --to 1');
      const first = await Promise.race(waiting);
      expect(first).toMatchObject([{ id: 'JOB-1', claim: '1', args: { to: 1 } }]);
      await admin.command('job run count --to 1');
      const all = (await Promise.all(waiting)).flat();
      expect(all.map(({ id }) => id).toSorted()).toEqual(['JOB-1', 'JOB-2']);
    });

    test('is over in its time, empty-handed, and holds no other request up', async () => {
      const waiting = new Client(url, token).claim(['counting'], { wait: 1 });
      expect((await admin.command('task create "Meanwhile"')).status).toBe(200);
      expect(await waiting).toEqual([]);
    });

    test('under a key gives its repeat the same job', async () => {
      const post = () =>
        new Rest(url, token).post(
          '/v1/jobs/claim',
          { capabilities: ['counting'], wait: 8 },
          { 'idempotency-key': 'c1' },
        );
      const waiting = [post(), post()];
      await admin.command('job run count --to 1');
      await admin.command('job run count --to 1');
      for (const { status, body } of await Promise.all(waiting))
        expect([status, body.items?.map(({ id }) => id)]).toEqual([200, ['JOB-1']]);
      expect((await post()).body.items).toMatchObject([{ id: 'JOB-1' }]);
    });

    test('is refused with what was expected', async () => {
      const client = new Client(url, token);
      await expect(client.claim(['flying'])).rejects.toMatchObject({ code: 'invalid_argument' });
      await expect(new Client(url, 'fake').claim(['counting'])).rejects.toBeInstanceOf(Refused);
    });
  });
});
