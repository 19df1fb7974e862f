import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Client, Refused, sleep } from '../../examples/remote-worker/client.ts';
import { work, type Handler } from '../../examples/remote-worker/worker.ts';
import { startApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/index.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { tempFolder } from '../support/temp.ts';
import { Rest } from './support/rest.ts';
import { soon } from './support/soon.ts';

const EXAMPLE = resolve(import.meta.dirname, '../../examples/remote-worker/main.ts');
const CONFIG = `
limits: { perSender: 100000, perChannel: 100000, perWorkspace: 100000 }
agents:
  counter: { roles: [counter] }
roles:
  counter: ['job:work', 'runbook:count']
runbooks:
  count:
    summary: Count on another machine
    risk: read
    permission: runbook:count
    timeout: 5m
    tries: { max: 3, backoff: 1s, cap: 1s }
    bounds: { logLines: 1000, outputBytes: 1000000 }
    args: { required: [to], properties: { to: { type: integer, minimum: 1 }, fail: { enum: [once, always] } } }
    capability: counting
    executor: { kind: remote }
`;

let admin: Rest;
let url: string;
let token: string;
/** Milliseconds by which the server's clock is ahead, so that leases run out without waiting for them. */
let ahead = 0;
beforeEach(async () => {
  ahead = 0;
  const folder = tempFolder();
  writeFileSync(join(folder, 'signalbox.yaml'), CONFIG);
  const config = await loadConfig({ env: { PORT: '0' }, cwd: folder });
  const clock = { now: () => new Date(Date.now() + ahead) };
  const app = await startApp(config, { log: pino({ level: 'silent' }), clock });
  onTestFinished(() => app.stop());
  url = app.url;
  admin = new Rest(url, app.adminToken ?? '');
  const { body } = await admin.command('key create counter --for counter');
  token = String(body.reply?.data['key']);
});

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
    ahead += 31 * SECOND;
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
  ahead += 31 * SECOND;
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

  test('is refused with what was expected', async () => {
    const client = new Client(url, token);
    await expect(client.claim(['flying'])).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(new Client(url, 'fake').claim(['counting'])).rejects.toBeInstanceOf(Refused);
  });
});
