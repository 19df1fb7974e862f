import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Json } from '../../../src/domain/json.ts';
import { etagOf } from '../../../src/domain/etag.ts';
import { ok, principalOf, refusedAnswer } from '../support/world.ts';
import { restWorld } from './world.ts';

let world: Awaited<ReturnType<typeof restWorld>>;

beforeEach(async () => {
  world = await restWorld();
});
afterEach(() => world.close());

const body = async (response: Response) => (await response.json()) as Record<string, Json>;

test('runs a text as the proven sender and answers as the pipeline did', async () => {
  const response = await world.post('/v1/commands', { text: 'help' }, { 'x-correlation-id': 'mine-1' });
  expect(response.status).toBe(200);
  expect(await body(response)).toEqual({
    id: 'message-1',
    status: 'ok',
    invocation: { command: 'help', args: {} },
    reply: { text: 'done' },
    correlationId: 'mine-1',
  });
  expect(world.messages).toEqual([
    {
      channel: 'rest',
      from: expect.objectContaining({ channel: 'key', subject: 'ana', workspace: 'main' }),
      body: { text: 'help' },
      conversation: 'rest:ana',
      correlationId: 'mine-1',
    },
  ]);
});

test('runs JSON, with and without arguments', async () => {
  await world.post('/v1/commands', { command: 'task.list', args: { limit: 3 } });
  await world.post('/v1/commands', { command: 'task.list' });
  expect(world.messages.map((message) => message.body)).toEqual([
    { command: 'task.list', args: { limit: 3 } },
    { command: 'task.list', args: {} },
  ]);
});

test.each([
  [{}, /Expected \{"text"/],
  [{ text: 'help', command: 'help' }, /exclude each other/],
  [{ text: 1 }, /text must be a string/],
  [{ command: 'help', args: [] }, /args must be an object/],
  [{ command: 'help', args: null }, /args must be an object/],
  [{ text: 'help', urgent: true }, /"urgent" is unknown/],
  [{ command: 'help', ['__proto__x']: 1 }, /unknown/],
])('refuses %j', async (message, detail) => {
  const response = await world.post('/v1/commands', message);
  expect(response.status).toBe(400);
  expect(await body(response)).toMatchObject({ code: 'malformed', detail: expect.stringMatching(detail) });
  expect(world.messages).toEqual([]);
});

test('an own __proto__ is an unknown field, not a prototype', async () => {
  const response = await world.call('/v1/commands', {
    method: 'POST',
    body: '{"__proto__":{"text":"help"}}',
    headers: { 'content-type': 'application/json' },
  });
  expect(response.status).toBe(400);
});

test('waiting answers are 202', async () => {
  for (const status of ['pending_approval', 'needs_confirmation'] as const) {
    world.answerWith((message) => ({ ...ok(message), status }));
    const response = await world.post('/v1/commands', { text: 'deploy' });
    expect(response.status).toBe(202);
    expect(await body(response)).toMatchObject({ status });
  }
});

test('a refusal is a problem document with what was read, suggestions and Retry-After', async () => {
  world.answerWith(() => refusedAnswer('not_found', 'There is no TSK-1.', { suggestions: ['task list'] }));
  const missing = await world.post('/v1/commands', { text: 'task show TSK-1' });
  expect(missing.status).toBe(404);
  expect(missing.headers.get('content-type')).toBe('application/problem+json');
  expect(await body(missing)).toEqual({
    type: 'urn:signalbox:problem:not_found',
    title: 'Not found',
    status: 404,
    detail: 'There is no TSK-1.',
    code: 'not_found',
    suggestions: ['task list'],
    invocation: { command: 'task.show', args: { id: 'TSK-1' } },
    correlationId: 'corr-1',
  });
  world.answerWith(() => refusedAnswer('rate_limited', 'Too many.', { retryAfter: 61_500 }));
  const limited = await world.post('/v1/commands', { text: 'help' });
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '62']);
  world.answerWith(() => refusedAnswer('something new', 'Odd.'));
  expect((await world.post('/v1/commands', { text: 'help' })).status).toBe(500);
});

test('takes an Idempotency-Key and refuses what is none', async () => {
  const send = (key: string) => world.post('/v1/commands', { text: 'help' }, { 'idempotency-key': key });
  expect((await send('order-1')).status).toBe(200);
  expect(world.messages[0]?.dedupeKey).toBe('rest:order-1');
  for (const key of ['', 'a b', 'x'.repeat(256)]) expect((await send(key)).status, key).toBe(400);
  const twice = await world.raw(
    'POST /v1/commands HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-ana\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Type: application/json\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{"text":"help"}',
  );
  expect(twice).toMatch(/^HTTP\/1\.1 400/);
  expect(world.messages).toHaveLength(1);
});

test('strangers and bearers of another workspace are refused before their body is read', async () => {
  for (const authorization of ['', 'Bearer wrong', 'Basic YTpi']) {
    const response = await world.post('/v1/commands', { text: 'help' }, { authorization });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
  }
  world.authenticator.state.workspace = 'other';
  expect((await world.post('/v1/commands', { text: 'help' })).status).toBe(401);
  expect(world.messages).toEqual([]);
});

test('lists what the caller may do, with schemas', async () => {
  world.people.set('ben', principalOf('ben', ['task:read']));
  const response = await world.call('/v1/commands', { headers: { authorization: 'Bearer test-ben' } });
  const { items } = (await response.json()) as { items: { name: string; args: { properties: object } }[] };
  expect(items.map((item) => item.name)).toEqual(['task.list', 'task.show', 'help']);
  expect(items[0]?.args.properties).toHaveProperty('limit');
});

test('a repeat names its first time in the header as in the body, whatever this one was called', async () => {
  const first = 'of-the-first-time';
  const again = (path: string, message: object) =>
    world.post(path, message, { 'idempotency-key': 'k', 'x-correlation-id': 'of-this-one' });
  world.answerWith((message) => ({ ...ok(message), correlationId: first }));
  const answered = await again('/v1/commands', { text: 'help' });
  expect(await body(answered)).toMatchObject({ correlationId: first });
  const resource = await again('/v1/tasks', { title: 'Fix' });
  world.answerWith(() => ({ ...refusedAnswer('not_found', 'There is none.'), correlationId: first }));
  const refused = await again('/v1/commands', { text: 'task show TSK-1' });
  expect(await body(refused)).toMatchObject({ correlationId: first });
  for (const { headers } of [answered, resource, refused])
    expect(headers.get('x-correlation-id')).toBe(first);
});

test('a bearer that is linked to nobody may list nothing', async () => {
  world.people.set('ghost', principalOf('ghost'));
  const principal = world.authenticator.authenticator.principal;
  world.authenticator.authenticator.principal = async (identity) =>
    identity.subject === 'ghost' ? undefined : principal(identity);
  const response = await world.call('/v1/commands', { headers: { authorization: 'Bearer test-ghost' } });
  expect(response.status).toBe(403);
});

test('a route fills arguments from path, query by type, and body', async () => {
  await world.call('/v1/tasks?limit=5&archived=true&labels=a&labels=b&count=2');
  await world.call('/v1/tasks/TSK%2D1');
  await world.post('/v1/tasks', { title: 'Fix', priority: 'P0' });
  await world.post('/v1/tasks/claim', undefined);
  expect(world.messages.map((message) => message.body)).toEqual([
    { command: 'task.list', args: { limit: 5, archived: true, labels: ['a', 'b'], count: 2 } },
    { command: 'task.show', args: { id: 'TSK-1' } },
    { command: 'task.create', args: { title: 'Fix', priority: 'P0' } },
    { command: 'task.claim', args: {} },
  ]);
});

test.each([
  ['/v1/tasks?colour=red', 'GET', /"colour" is not known here; known: limit, archived, labels, count/],
  ['/v1/tasks?limit=1&limit=2', 'GET', /"limit" is given more than once/],
  ['/v1/tasks/TSK-1?id=TSK-2', 'GET', /given by the address/],
  ['/v1/tasks?title=x', 'POST', /in the JSON body/],
])('refuses %s', async (path, method, detail) => {
  const response = await world.call(path, { method });
  expect(response.status).toBe(400);
  expect(await body(response)).toMatchObject({
    code: 'invalid_argument',
    detail: expect.stringMatching(detail),
  });
});

test('leaves a value of the wrong type for the command to explain', async () => {
  await world
    .call('/v1/tasks?limit=many&archived=perhaps&constructor=1')
    .then((r) => expect(r.status).toBe(400));
  await world.call('/v1/tasks?limit=many&archived=perhaps');
  expect(world.messages[0]?.body).toEqual({
    command: 'task.list',
    args: { limit: 'many', archived: 'perhaps' },
  });
});

test('a new resource is 201 with its place, a versioned one carries a strong tag', async () => {
  const task = { id: 'TSK-1', version: 1, title: 'Fix' };
  world.answerWith((message) => ok(message, task));
  const created = await world.post('/v1/tasks', { title: 'Fix' });
  expect(created.status).toBe(201);
  expect(created.headers.get('location')).toBe('/v1/tasks/TSK-1');
  expect(created.headers.get('etag')).toBe(etagOf(task));
  expect(await body(created)).toEqual(task);

  const held = await world.call('/v1/tasks/TSK-1', {
    headers: { 'if-none-match': `"other", W/${etagOf(task)}` },
  });
  expect([held.status, await held.text()]).toEqual([304, '']);
  expect(held.headers.get('etag')).toBe(etagOf(task));
  const changed = await world.call('/v1/tasks/TSK-1', { headers: { 'if-none-match': '"other"' } });
  expect(changed.status).toBe(200);
});

test('data that has no version has no tag; no data is the text', async () => {
  world.answerWith((message) => ok(message, { items: [] }));
  const list = await world.call('/v1/tasks');
  expect(list.headers.get('etag')).toBeNull();
  expect(await body(list)).toEqual({ items: [] });
  world.answerWith((message) => ok(message));
  expect(await body(await world.call('/v1/tasks'))).toEqual({ text: 'done' });
});

test('a guarded change needs If-Match: 428 without, 412 from the command, handed on otherwise', async () => {
  const edit = (headers: Record<string, string>) =>
    world.call('/v1/tasks/TSK-1', {
      method: 'PATCH',
      body: '{"title":"New"}',
      headers: { 'content-type': 'application/json', ...headers },
    });
  expect((await edit({})).status).toBe(428);
  for (const tag of ['a', '"a', '"a" "b"', '*, "a"', 'w/"a"', '', ', ,', `"a"${', '.repeat(4_000)}x`])
    expect((await edit({ 'if-match': tag })).status, tag).toBe(400);
  expect(world.messages).toEqual([]);
  const lists = ['"abc"', '*', 'W/"abc"', '"a", W/"b,c","d"', ', "a",, "b" ,'];
  for (const tags of lists) await edit({ 'if-match': tags });
  expect(world.messages.map((message) => message.ifMatch)).toEqual(lists);
  world.answerWith(() => refusedAnswer('stale', 'Changed in between.'));
  expect((await edit({ 'if-match': '"abc"' })).status).toBe(412);
});

test('a path that waits for approval answers 202 with the whole answer', async () => {
  world.answerWith((message) => ({ ...ok(message), status: 'pending_approval' }));
  const response = await world.post('/v1/tasks', { title: 'x' });
  expect(response.status).toBe(202);
  expect(await body(response)).toMatchObject({ status: 'pending_approval', reply: { text: 'done' } });
});

test('405 names the methods of the path, own and commands’ together', async () => {
  const response = await world.call('/v1/events', { method: 'DELETE' });
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS');
  expect((await world.call('/v1/tasks/TSK-1', { method: 'DELETE' })).status).toBe(405);
  const broken = await world.call('/v1/tasks/%E0%A4%A');
  expect(broken.status).toBe(400);
});

test('tokens: for an API key, for a refresh token, and nothing else', async () => {
  expect(await body(await world.post('/v1/tokens', {}))).toEqual({
    tokenType: 'Bearer',
    accessToken: 'fake-access',
    expiresIn: 900,
    refreshToken: 'fake-refresh',
  });
  const refreshed = await world.post('/v1/tokens', { refreshToken: 'fake-refresh' }, { authorization: '' });
  expect(await body(refreshed)).toMatchObject({ accessToken: 'fake-access-2' });
  expect((await world.post('/v1/tokens', { refreshToken: 'used' }, { authorization: '' })).status).toBe(401);
  expect((await world.post('/v1/tokens', { refreshToken: 1 })).status).toBe(400);
  expect((await world.post('/v1/tokens', { scope: 'x' })).status).toBe(400);
  expect((await world.post('/v1/tokens', {}, { authorization: '' })).status).toBe(401);
  expect(await body(await world.post('/v1/ws/ticket', {}))).toEqual({ ticket: 'ticket-1', expiresIn: 30 });
  expect(await body(await world.call('/.well-known/jwks.json'))).toEqual({
    keys: [{ kty: 'RSA', kid: 'fake' }],
  });
});

test('a request that a job led to says so; what is no job is refused', async () => {
  await world.post('/v1/commands', { text: 'help' }, { 'signalbox-cause': 'JOB-12' });
  expect(world.messages[0]?.causes).toEqual(['JOB-12']);
  const refused = await world.post('/v1/commands', { text: 'help' }, { 'signalbox-cause': 'JOB-12, JOB-13' });
  expect(await body(refused)).toMatchObject({ status: 400, code: 'malformed' });
});
