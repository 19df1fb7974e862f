import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

test('an outside fact is journalled under its own prefix, with who wrote it', async () => {
  const answer = await h.run('ana', 'event add deploy_finished web --details.version=1.4');
  expect(answer).toMatchObject({
    status: 'ok',
    reply: { data: { event: 'event.deploy_finished', target: 'web' } },
  });
  expect((await h.entries()).at(-1)).toMatchObject({
    event: 'event.deploy_finished',
    actor: 'ana',
    target: 'web',
    details: { version: 1.4 },
    correlationId: answer.correlationId,
  });
});

test('it needs its own permission, and a name cannot pass for one of ours', async () => {
  expect(await h.run('vic', 'event add deploy_finished web')).toMatchObject({ error: { code: 'forbidden' } });
  expect(await h.run('ana', 'event add job.failed web')).toMatchObject({
    error: { code: 'invalid_argument' },
  });
});

test('the same key again changes nothing and gives the first entry; other content is refused', async () => {
  const first = await h.run('ana', 'event add deployed web --key d-7 --details.version=1.4');
  const again = await h.run('ana', 'event add deployed web --key d-7 --details.version=1.4');
  expect(again.reply).toEqual(first.reply);
  const told = (await h.entries()).filter((entry) => entry.event === 'event.deployed');
  expect(told).toHaveLength(1);
  expect(await h.run('ana', 'event add deployed api --key d-7')).toMatchObject({
    error: { code: 'key_reused' },
  });
  // Somebody else's key is another one, however it reads.
  await h.run('ana', 'role add teller event:create');
  await h.run('ana', 'person add eve --roles teller');
  expect((await h.run('eve', 'event add deployed api --key d-7')).status).toBe('ok');
  expect((await h.run('ana', 'event add deployed web --key "ä"')).error?.code).toBe('invalid_argument');
});
