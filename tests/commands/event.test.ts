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
