import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { createAdmission } from '../../../src/core/limits.ts';
import { principalOf } from '../support/world.ts';
import { restWorld } from './world.ts';

let world: Awaited<ReturnType<typeof restWorld>>;
const drops: string[] = [];

async function start(perSender: number, mostOpen?: number): Promise<void> {
  drops.length = 0;
  const count = (channel: string, scope: string) => drops.push(`${channel} ${scope}`);
  const limits = { perSender, perChannel: 1_000, perWorkspace: 1_000, heartbeats: 1_000 };
  world = await restWorld({ admission: createAdmission(limits, count, mostOpen) });
  world.people.set('ben', principalOf('ben'));
}
afterEach(() => world.close());

const refused = { status: 429, wait: expect.stringMatching(/^\d+$/) as string, code: 'rate_limited' };
const outcome = async (response: Response) => {
  const { code } = (await response.json()) as { code?: string };
  return { status: response.status, wait: response.headers.get('retry-after'), code };
};

describe('requests that are no commands count like messages', () => {
  test.each([
    ['GET /v1/commands', () => world.call('/v1/commands')],
    ['GET /v1/events', () => world.call('/v1/events')],
    ['GET /v1/events/stream', () => world.call('/v1/events/stream', { method: 'HEAD' })],
    ['POST /v1/tokens', () => world.post('/v1/tokens', {})],
    [
      'POST /v1/tokens with a refresh token',
      () => world.post('/v1/tokens', { refreshToken: 'fake-refresh' }),
    ],
    ['POST /v1/ws/ticket', () => world.post('/v1/ws/ticket', {})],
  ])('%s', async (_what, request) => {
    await start(3);
    for (let n = 0; n < 3; n += 1) expect((await request()).status).toBe(200);
    const fourth = await request();
    expect(fourth.status).toBe(429);
    expect(fourth.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(drops).toEqual(['rest sender']);
    expect(await outcome(await world.call('/v1/events'))).toEqual(refused);
    const other = await world.call('/v1/events', { headers: { authorization: 'Bearer test-ben' } });
    expect(other.status).toBe(200);
  });

  test('a command counts where it is run, not here as well', async () => {
    await start(1);
    for (let n = 0; n < 5; n += 1) {
      expect((await world.post('/v1/commands', { text: 'help' })).status).toBe(200);
      expect((await world.call('/v1/tasks')).status).toBe(200);
    }
    expect(world.messages).toHaveLength(10);
    expect((await world.call('/v1/events')).status).toBe(200);
  });
});

test('streams and waiting polls are bounded for each principal, and counted until they end', async () => {
  await start(1_000, 2);
  const stream = await world.call('/v1/events/stream');
  const before = world.journal.listeners();
  const waiting = world.call('/v1/events?wait=30');
  while (world.journal.listeners() === before) await turn();
  for (const path of ['/v1/events', '/v1/events/stream'])
    expect(await outcome(await world.call(path)), path).toEqual(refused);
  expect(drops).toEqual(['rest open', 'rest open']);
  const other = await world.call('/v1/events', { headers: { authorization: 'Bearer test-ben' } });
  expect(other.status).toBe(200);

  world.journal.append('task.created');
  expect((await waiting).status).toBe(200);
  await stream.body?.cancel();
  while (world.journal.listeners() > 0) await turn();
  const again = await Promise.all([world.call('/v1/events/stream'), world.call('/v1/events/stream')]);
  expect(again.map(({ status }) => status)).toEqual([200, 200]);
  for (const { body } of again) await body?.cancel();
});
