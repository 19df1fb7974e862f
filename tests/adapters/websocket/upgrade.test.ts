import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAdmission } from '../../../src/core/limits.ts';
import { MINUTE } from '../../../src/domain/clock.ts';
import { socketWorld } from './world.ts';

let world: Awaited<ReturnType<typeof socketWorld>>;

beforeEach(async () => {
  world = await socketWorld();
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});

async function issueTicket(): Promise<string> {
  const { authenticator } = world.authenticator;
  const { identity, expiresAt } = await authenticator.bearer('Bearer test-ana');
  return authenticator.issueTicket(identity, expiresAt);
}

test('opens for a bearer and echoes the subprotocol alone', async () => {
  const socket = world.dial({}, '', ['bearer.test-ana', 'signalbox.v1']);
  await new Promise((resolve) => socket.once('open', resolve));
  expect(socket.protocol).toBe('signalbox.v1');
  expect(socket.extensions).toBe('');
});

test('a ticket opens one socket, once', async () => {
  const ticket = await issueTicket();
  const client = await world.open({ headers: {} }, `?ticket=${ticket}`);
  client.send({ type: 'command', id: '1', text: 'whoami' });
  expect(await client.next()).toMatchObject({ type: 'reply', id: '1' });
  expect(world.stub.messages[0]?.from.subject).toBe('ana');
  expect((await world.refused({ headers: {} }, `?ticket=${ticket}`)).status).toBe(401);
});

test.each([
  ['when its bearer is over', 4 * MINUTE],
  ['after 15 minutes, if that is sooner', 90 * MINUTE],
  ['after 15 minutes, if its bearer has no end', undefined],
])('a socket from a ticket ends %s', async (_when, left) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const start = world.clock.now().getTime();
  world.authenticator.state.expiresAt = left === undefined ? undefined : new Date(start + left);
  const client = await world.open({ headers: {} }, `?ticket=${await issueTicket()}`);
  const end = Math.min(left ?? Infinity, 15 * MINUTE);
  await vi.advanceTimersByTimeAsync(end - 1);
  expect(client.socket.readyState).toBe(client.socket.OPEN);
  vi.advanceTimersByTime(1);
  expect((await client.closed).code).toBe(4401);
});

test('a plain request is told to upgrade; while stopping, to come again', async () => {
  const answer = await fetch(`${world.http.url}/v1/ws`, { headers: { authorization: 'Bearer test-ana' } });
  expect(answer.status).toBe(426);
  expect(answer.headers.get('upgrade')).toBe('websocket');
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(await answer.json()).toMatchObject({ code: 'upgrade_required', status: 426 });
  expect((await fetch(`${world.http.url}/v1/ws`, { method: 'POST' })).status).toBe(405);
  await world.adapter.stop(AbortSignal.abort());
  expect((await fetch(`${world.http.url}/v1/ws`)).status).toBe(503);
});

test('a Node that hands over every offer to upgrade gets the others an answer that says why', async () => {
  Object.assign(world.http.server, { shouldUpgradeCallback: () => true });
  const socket = connect(Number(new URL(world.http.url).port), '127.0.0.1');
  socket.write('POST /v1/commands HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 .*"detail":"Send this without Upgrade/s);
});

test('refuses as HTTP, before any socket', async () => {
  const stranger = await world.refused({ headers: {} });
  expect(stranger.status).toBe(401);
  expect(JSON.parse(stranger.body)).toMatchObject({ code: 'unauthenticated', status: 401 });
  expect((await world.refused({ headers: {} }, '?access_token=test-ana')).status).toBe(401);
  expect((await world.refused({}, '', [])).status).toBe(400);
  expect((await world.refused({}, '', ['chat'])).status).toBe(400);
  expect((await world.refused({}, '/other')).status).toBe(404);
  world.people.delete('ana');
  expect((await world.refused()).status).toBe(401);
});

test('a bearer that is linked to nobody is 403, one of another workspace 401', async () => {
  world.authenticator.state.workspace = 'other';
  expect((await world.refused()).status).toBe(401);
  world.authenticator.state.workspace = 'main';
  world.authenticator.authenticator.principal = async () => undefined;
  expect((await world.refused()).status).toBe(403);
});

test('pages may connect from the same or a named origin only', async () => {
  const from = (origin: string) => ({ headers: { authorization: 'Bearer test-ana', origin } });
  await world.open(from(world.http.url));
  await world.open(from('https://console.example.test'));
  // The public address behind a proxy that passes on another Host.
  await world.open(from('https://signalbox.example.test'));
  expect((await world.refused(from('http://signalbox.example.test'))).status).toBe(403);
  expect((await world.refused(from('https://evil.example.test'))).status).toBe(403);
  expect((await world.refused(from('null'))).status).toBe(403);
});

test('who hangs up during the check, or is still being checked at the stop, holds nothing up', async () => {
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const { bearer } = world.authenticator.authenticator;
  world.authenticator.authenticator.bearer = async (header) => {
    asked.resolve();
    await gate.promise;
    return bearer(header);
  };
  const left = world.dial();
  left.on('error', () => undefined);
  await asked.promise;
  left.terminate();
  gate.resolve();
  const client = await world.open();
  client.send({ type: 'command', id: '1', text: 'help' });
  expect(await client.next()).toMatchObject({ id: '1' });

  const never = Promise.withResolvers<never>();
  const again = Promise.withResolvers<void>();
  world.authenticator.authenticator.bearer = () => {
    again.resolve();
    return never.promise;
  };
  const cut = new Promise((resolve) => world.dial().on('error', resolve));
  await again.promise;
  await world.close();
  expect(await cut).toBeInstanceOf(Error);
});

/** The world again, with limits; counts what they refuse. */
async function limited(perSender: number, mostOpen: number): Promise<string[]> {
  await world.close();
  const drops: string[] = [];
  const limits = { perSender, perChannel: 1_000, perWorkspace: 1_000, heartbeats: 1_000 };
  const admission = createAdmission(limits, (channel, scope) => drops.push(`${channel} ${scope}`), mostOpen);
  world = await socketWorld({ admission });
  return drops;
}

test('upgrades count like messages', async () => {
  const drops = await limited(2, 1_000);
  await world.open();
  await world.open({ headers: {} }, `?ticket=${await issueTicket()}`);
  const third = await world.refused();
  expect(third.status).toBe(429);
  expect(third.headers['retry-after']).toMatch(/^\d+$/);
  expect(JSON.parse(third.body)).toMatchObject({ code: 'rate_limited' });
  expect(drops).toEqual(['websocket sender']);
});

test('open sockets are bounded for each principal; a handshake that fails holds no place', async () => {
  const drops = await limited(1_000, 2);
  const first = await world.open();
  const socket = connect(Number(new URL(world.http.url).port), '127.0.0.1');
  socket.write(
    'GET /v1/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-ana\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Protocol: signalbox.v1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n',
  );
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /);
  await world.open();
  expect((await world.refused()).status).toBe(429);
  expect(drops).toEqual(['websocket open']);
  first.socket.terminate();
  await vi.waitFor(() => world.open());
  expect((await world.refused()).status).toBe(429);
});
