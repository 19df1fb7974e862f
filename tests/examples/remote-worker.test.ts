import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Client, sleep } from '../../examples/remote-worker/client.ts';
import { work, type Handler } from '../../examples/remote-worker/worker.ts';

type Body = Readonly<Record<string, unknown>>;
/** Status and body; undefined: no answer at all. */
type Answer = readonly [number, Body | string] | undefined;

const JOB = {
  id: 'JOB-1',
  claim: '1',
  runbook: 'count',
  args: {},
  attempt: 1,
  maxAttempts: 3,
  idempotencyKey: 'k',
  cause: 'JOB-1',
  timeout: 60_000,
  heartbeatEvery: 0.2,
  leaseUntil: '2026-11-20T12:00:30Z',
};
const refused = (status: number, code: string): Answer => [status, { code, detail: `${code}, it said` }];

/** Signalbox as it is heard: it hands out one job, then nothing; `answers` by the last part of the path. */
async function server(answers: Readonly<Record<string, (body: Body) => Answer>>) {
  const heard: (readonly [string, Body])[] = [];
  let given = false;
  const hear = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const path = req.url?.split('/').at(-1) ?? '';
    const body = (await json(req)) as Body;
    heard.push([path, body]);
    const usual = (): Answer => {
      if (path === 'heartbeat') return [200, { stop: null }];
      if (path !== 'claim') return [200, {}];
      if (given) return undefined;
      given = true;
      return [200, { items: [JOB] }];
    };
    const answer = (answers[path] ?? usual)(body);
    // One that waits is answered a little later, as it is there.
    await sleep(body['wait'] ? 50 : 0);
    if (!answer) return;
    const [status, said] = answer;
    res.writeHead(status).end(typeof said === 'string' ? said : JSON.stringify(said));
  };
  const http = createServer((req, res) => void hear(req, res));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  const client = new Client(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, 'fake');
  const said = (path: string) => heard.filter(([to]) => to === path).map(([, body]) => body);
  return { client, said };
}

/** The loop, until the test is over. */
function loop(client: Client, handler: Handler): void {
  const stop = new AbortController();
  const done = work(client, ['counting'], handler, { signal: stop.signal });
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
}

const soon = (check: () => void) => vi.waitFor(check, { interval: 5, timeout: 5_000 });

describe('the work has to stop', () => {
  test('when the claim has run out, whoever else is told nothing', async () => {
    const { client, said } = await server({ heartbeat: () => undefined });
    const stopped = Promise.withResolvers<Error>();
    loop(client, async (_job, _told, signal) => {
      signal.addEventListener('abort', () => stopped.resolve(signal.reason as Error));
      await sleep(60_000, signal);
      return {};
    });
    expect((await stopped.promise).message).toBe('lost');
    await soon(() => expect(said('claim')).toHaveLength(2));
    expect([said('complete'), said('fail')]).toEqual([[], []]);
  });

  test.each(['conflict', 'not_found'])('when a heartbeat is refused as %s', async (code) => {
    const { client } = await server({ heartbeat: () => refused(409, code) });
    const stopped = Promise.withResolvers<Error>();
    loop(client, async (_job, _told, signal) => {
      signal.addEventListener('abort', () => stopped.resolve(signal.reason as Error));
      await sleep(60_000, signal);
      return {};
    });
    expect((await stopped.promise).message).toBe('lost');
  });
});

describe('the work goes on', () => {
  test('when a heartbeat is refused for what it says', async () => {
    const log = vi.spyOn(console, 'error').mockReturnValue();
    let refusals = 0;
    const { client, said } = await server({
      heartbeat: ({ wait }) => {
        if (wait === undefined || refusals > 0) return [200, { stop: null }];
        refusals += 1;
        return refused(400, 'invalid_argument');
      },
    });
    loop(client, async (_job, _told, signal) => {
      await sleep(500, signal);
      return { result: { done: true } };
    });
    await soon(() => expect(said('complete')).toMatchObject([{ result: { done: true } }]));
    expect(log).toHaveBeenCalledWith('JOB-1: a heartbeat was refused: invalid_argument, it said');
    // Not at once, and again and again.
    expect(said('heartbeat').length).toBeLessThan(20);
  });

  test('with progress that is no number', async () => {
    const { client, said } = await server({});
    loop(client, async (_job, told) => {
      told.progress(0 / 0, 'of nothing');
      return {};
    });
    await soon(() => expect(said('complete')).toHaveLength(1));
    expect(said('heartbeat')).toContainEqual({
      claim: '1',
      lines: [],
      progress: { text: 'of nothing' },
      wait: 0,
    });
  });
});

describe('an end', () => {
  test('that is refused as it is fails the job, which is not left claimed', async () => {
    const { client, said } = await server({ complete: () => refused(413, 'too_large') });
    loop(client, async () => ({ result: { all: 'x' } }));
    await soon(() =>
      expect(said('fail')).toEqual([
        { claim: '1', reason: 'its end was refused: too_large, it said', failure: 'refused' },
      ]),
    );
    await soon(() => expect(said('claim')).toHaveLength(2));
  });

  test('that comes too late is told all the same, and the loop goes on', async () => {
    const { client, said } = await server({
      heartbeat: () => refused(409, 'conflict'),
      complete: () => refused(409, 'conflict'),
    });
    loop(client, async (_job, _told, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { usage: { tokens: 5 } };
    });
    await soon(() => expect(said('complete')).toMatchObject([{ usage: { tokens: 5 } }]));
    await soon(() => expect(said('claim')).toHaveLength(2));
  });
});

test('what answers without JSON is refused, and not asked for ever', async () => {
  const { client } = await server({ claim: () => [404, '<html>not found'] });
  await expect(client.claim(['counting'])).rejects.toMatchObject({
    code: 'malformed',
    message: 'status 404 without JSON: is this Signalbox?',
  });
});

test('a server that is away, or busy, is asked again', async () => {
  const answers: Answer[] = [
    [502, '<html>bad gateway'],
    [429, {}],
    [200, { items: [] }],
  ];
  const { client } = await server({ claim: () => answers.shift() });
  expect(await client.claim(['counting'])).toEqual([]);
});
