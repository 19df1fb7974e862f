import { afterEach, beforeEach, expect, test } from 'vitest';
import { socketWorld } from './world.ts';

let world: Awaited<ReturnType<typeof socketWorld>>;

beforeEach(async () => {
  world = await socketWorld();
});
afterEach(() => world.close());

test('opens for a bearer and echoes the subprotocol alone', async () => {
  const socket = world.dial({}, '', ['bearer.test-ana', 'signalbox.v1']);
  await new Promise((resolve) => socket.once('open', resolve));
  expect(socket.protocol).toBe('signalbox.v1');
  expect(socket.extensions).toBe('');
});

test('a ticket opens one socket, once', async () => {
  const ticket = await world.authenticator.authenticator.issueTicket(
    (await world.authenticator.authenticator.bearer('Bearer test-ana')).identity,
  );
  const client = await world.open({ headers: {} }, `?ticket=${ticket}`);
  client.send({ type: 'command', id: '1', text: 'whoami' });
  expect(await client.next()).toMatchObject({ type: 'reply', id: '1' });
  expect(world.stub.messages[0]?.from.subject).toBe('ana');
  expect((await world.refused({ headers: {} }, `?ticket=${ticket}`)).status).toBe(401);
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
