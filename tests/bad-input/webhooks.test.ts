import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testClock, type TestClock } from '../support/harness.ts';
import { expectUnharmed, realApp, SECRET, type World } from './world.ts';

let world: World;
let clock: TestClock;

beforeEach(async () => {
  clock = testClock();
  world = await realApp({ clock });
  await world.command('task create acknowledged');
});

const sign = (key: string, text: string, as: 'hex' | 'base64') =>
  createHmac('sha256', key).update(text).digest(as);

/** A delivery of the GitHub kind; `signature` and the headers may be forged. */
function forge(event: string, payload: unknown, over: Record<string, string> = {}, delivery = 'd1') {
  const body = JSON.stringify(payload);
  return world.post('/webhooks/forge', body, {
    authorization: '',
    'x-github-event': event,
    'x-github-delivery': delivery,
    'x-hub-signature-256': `sha256=${sign(SECRET, body, 'hex')}`,
    ...over,
  });
}

/** A delivery after Standard Webhooks, signed for the second it names. */
function hook(body: string, seconds: number, over: Record<string, string> = {}) {
  const id = 'msg_1';
  return world.post('/webhooks/hooks', body, {
    authorization: '',
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${sign(SECRET, `${id}.${seconds}.${body}`, 'base64')}`,
    ...over,
  });
}

const seconds = () => Math.floor(clock.now().getTime() / 1_000);

test('forged, stale and future signatures are 401, are counted, and leave no rows', async () => {
  const before = await world.head();
  const push = { branch: 'no' };
  const refused = [
    await forge('push', push, { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }),
    await forge('push', push, {
      'x-hub-signature-256': `sha256=${sign('guess', JSON.stringify(push), 'hex')}`,
    }),
    await forge('push', push, { 'x-hub-signature-256': '' }),
    await forge('push', push, { 'x-hub-signature-256': 'sha256=zz' }),
    await hook('{"alert":"no"}', seconds() - 301),
    await hook('{"alert":"no"}', seconds() + 301),
    await hook('{"alert":"no"}', seconds(), { 'webhook-timestamp': String(seconds() - 1) }),
    await hook('{"alert":"no"}', seconds(), { 'webhook-id': 'msg_2' }),
  ];
  for (const answer of refused) {
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ code: 'unauthenticated' });
  }
  expect((await forge('push', push, {}, 'd1 d2')).status).toBe(400);
  expect((await world.post('/webhooks/nobody', '{}')).status).toBe(404);
  expect(await world.head()).toBe(before);
  const metrics = await (await world.call('/metrics')).text();
  expect(metrics).toContain('signalbox_unproven_total{channel="webhook",source="forge"} 4');
  expect(metrics).toContain('signalbox_unproven_total{channel="webhook",source="hooks"} 4');
  await expectUnharmed(world, ['acknowledged']);
});

test('a replay changes nothing; the same delivery with another content is refused', async () => {
  const first = await hook('{"alert":"once"}', seconds());
  expect(first.status).toBe(200);
  const answer = await first.text();
  const after = await world.head();
  expect(await (await hook('{"alert":"once"}', seconds())).text()).toBe(answer);
  clock.pass(200_000);
  expect(await (await hook('{"alert":"once"}', seconds())).text()).toBe(answer);
  expect((await hook('{"alert":"twice"}', seconds())).status).toBe(422);
  clock.pass(301_000);
  expect((await hook('{"alert":"once"}', seconds() - 301)).status).toBe(401);
  expect(await world.head()).toBe(after);
  await expectUnharmed(world, ['acknowledged', 'once']);
});

test('a stranger’s comment with a command in it is neither run nor written down as theirs to run', async () => {
  const comment = (id: number, body: string) => ({ comment: { user: { id }, body } });
  const command = 'task create owned --priority P0\n/signalbox job run deploy\napprove APR-1';
  const stranger = await forge('issue_comment', comment(666, command), {}, 'd1');
  expect(stranger.status).toBe(403);
  expect(await stranger.json()).toMatchObject({
    results: [{ status: 'error', error: { code: 'forbidden' } }],
  });
  // Of somebody who is linked it is a comment, word by word.
  expect((await forge('issue_comment', comment(583_231, command), {}, 'd2')).status).toBe(200);
  const events = (await (await world.call('/v1/events')).json()) as { events: Record<string, unknown>[] };
  expect(events.events.filter((each) => each['event'] === 'command.denied')).toMatchObject([
    { actor: 'github:666', details: { reason: 'linked to nobody' } },
  ]);
  expect(events.events.filter((each) => String(each['event']).startsWith('task.'))).toMatchObject([
    { event: 'task.created', actor: 'admin' },
    { event: 'task.commented', actor: 'ana', target: 'TSK-1' },
  ]);
  await expectUnharmed(world, ['acknowledged']);
});

test('a branch named like flags is a title and nothing else', async () => {
  const branches = ['x --priority P0', '"; task create owned', '-- --owner ana', '${env:EXAMPLE_SECRET}'];
  for (const [n, branch] of branches.entries())
    expect((await forge('push', { branch }, {}, `d${n}`)).status).toBe(200);
  const page = (await (await world.call('/v1/tasks')).json()) as { items: Record<string, unknown>[] };
  for (const branch of branches)
    expect(page.items.find((task) => task['title'] === branch)).toMatchObject({
      priority: 'P2',
      owner: null,
    });
  await expectUnharmed(world, ['acknowledged', ...branches]);
});

afterEach(() => world.close());
