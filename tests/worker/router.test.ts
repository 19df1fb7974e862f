import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { holdLease } from '../../src/core/leases.ts';
import { createOwn, ownAlone, type Own } from '../../src/core/owned.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { principals } from '../../src/domain/principal.ts';
import { outbox, subscriptions } from '../../src/domain/records.ts';
import { Router } from '../../src/worker/router.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { outgoing, rows } from '../core/support.ts';
import { silent, soon } from './support.ts';

let h: Harness;
const routers: Router[] = [];
beforeEach(async () => {
  h = await createHarness();
});
afterEach(async () => {
  await Promise.all(routers.splice(0).map((router) => router.stop()));
  await h.close();
});

function start(own: Own = ownAlone): Router {
  const { store, directory } = h;
  const router = new Router({ store, workspace: 'main', own, directory, log: silent });
  routers.push(router);
  void router.start();
  return router;
}
const run = async (who: string, text: string) => {
  const answer = await h.run(who, text);
  expect(answer.status, answer.reply.text).toBe('ok');
};
/** Event and target of what was queued for a subscription. */
const told = async (ref = 'SUB-1') =>
  Object.entries(await outgoing(h)).flatMap(([key, text]) =>
    key.split(':')[1] === ref ? [text.split(' ', 2).join(' ')] : [],
  );
const append = (event: string, target: string, details = {}) =>
  h.store.transaction('main', (tx) =>
    tx.append({ event, actor: 'ana', target, correlationId: 'c', cause: null, details }),
  );

test('what matches is told to the subscribed address, once, in order', async () => {
  await run('ben', 'subscribe task.created job.* --to slack:C7');
  start();
  await run('ben', 'task create one');
  await run('ben', 'task move TSK-1 claimed');
  await run('ben', 'job run restart');
  await soon(async () => expect(await told()).toEqual(['task.created TSK-1', 'job.queued JOB-1']));
  const [row] = await rows(h, outbox, { orderBy: [{ column: 'id' }] });
  expect(row).toMatchObject({ address: { channel: 'slack', to: 'C7' }, lane: 'slack:C7' });
  expect(Object.values(await outgoing(h))[0]).toMatch(
    /^task\.created TSK-1 \(ben, 2026-03-02T09:00:00\.000Z\)\ntitle: one/,
  );
});

describe('permission', () => {
  test('is looked at when an event is delivered, not when it was subscribed to', async () => {
    await run('ana', 'role add watcher subscription:* task:read');
    await run('ana', 'person add eve --roles watcher');
    await run('eve', 'subscribe * --to slack:C7');
    start();
    await run('ben', 'task create one');
    await run('ben', 'job run restart');
    await soon(async () => expect(await told()).toEqual(['task.created TSK-1']));
    await run('ana', 'role revoke watcher eve');
    await run('ben', 'task create two');
    const passed = (await h.entries()).length;
    await soon(async () => expect((await rows(h, subscriptions))[0]?.cursor).toBeGreaterThanOrEqual(passed));
    await run('ana', 'role grant watcher eve');
    await run('ben', 'task create three');
    await soon(async () => expect(await told()).toEqual(['task.created TSK-1', 'task.created TSK-3']));
  });

  test('of somebody who is gone tells nothing', async () => {
    await run('ana', 'person add eve --roles operator');
    await run('eve', 'subscribe task.* --to slack:C7');
    await run('ana', 'subscribe task.* --to slack:C8');
    await h.store.transaction('main', async (tx) => {
      const row = await tx.get(principals, { name: 'eve' });
      if (row) await tx.update(principals, row, { disabled: true });
    });
    start();
    await run('ben', 'task create one');
    await soon(async () => expect(await told('SUB-2')).toEqual(['task.created TSK-1']));
    expect(await told('SUB-1')).toEqual([]);
  });
});

describe('the cursor', () => {
  test('catches up with what was written while nobody routed, and repeats nothing', async () => {
    await run('ben', 'subscribe task.created --to slack:C7');
    await run('ben', 'task create one');
    const first = start();
    await soon(async () => expect(await told()).toHaveLength(1));
    await first.stop();
    for (let n = 2; n <= 4; n += 1) await run('ben', `task create t${n}`);
    await h.store.transaction('main', async (tx) => {
      const sent = await tx.find(outbox);
      for (const row of sent) await tx.update(outbox, row, { state: 'sent' });
    });
    start();
    await soon(async () => expect(await rows(h, outbox)).toHaveLength(4));
    const keys = (await rows(h, outbox)).map((row) => row.key);
    expect(new Set(keys).size).toBe(4);
  });

  test('passes pages in which nothing is of interest', async () => {
    await run('ben', 'subscribe task.created --to slack:C7');
    for (let n = 0; n < 450; n += 1) await append('probe.ok', 'api');
    await run('ben', 'task create one');
    start();
    await soon(async () => expect(await told()).toEqual(['task.created TSK-1']));
    const [sub] = await rows(h, subscriptions);
    expect(sub?.cursor).toBe((await h.entries()).at(-1)?.seq);
  });

  test('of one subscription does not hold up another', async () => {
    await run('ben', 'subscribe probe.* --to slack:C7');
    await run('cho', 'subscribe task.* --to slack:C8');
    start();
    await run('ben', 'task create one');
    await append('probe.failed', 'api');
    await soon(async () => {
      expect(await told('SUB-1')).toEqual(['probe.failed api']);
      expect(await told('SUB-2')).toEqual(['task.created TSK-1']);
    });
  });
});

describe('a destination that is gone', () => {
  const dead = (key: string, lane: string) =>
    append('message.dead', key, { channel: 'slack', lane, error: 'gone' });

  test('is told elsewhere, not there', async () => {
    await run('ana', 'subscribe message.dead --to slack:C7');
    await run('ana', 'subscribe message.dead --to slack:C8');
    start();
    await dead('reply:1', 'slack:C7');
    await soon(async () => expect(await told('SUB-2')).toEqual(['message.dead reply:1']));
    expect(await told('SUB-1')).toEqual([]);
  });

  test('but an outside fact that names an address is told there as everywhere', async () => {
    await run('ana', 'subscribe event.* --to slack:C7');
    start();
    await run('ana', 'event add moved web --details.lane=slack:C7');
    await soon(async () => expect(await told()).toEqual(['event.moved web']));
  });

  test('does not go round between two that are gone', async () => {
    await run('ana', 'subscribe * --to slack:C7');
    await run('ana', 'subscribe * --to slack:C8');
    start();
    await dead('reply:1', 'slack:C7');
    const notice = await soon(async () => {
      const found = (await rows(h, outbox)).find((m) => m.lane === 'slack:C8' && m.key.startsWith('dead:'));
      if (!found) throw new Error('not told yet');
      return found;
    });
    // That very notice is given up in its turn: nobody is told of that.
    await dead(notice.key, 'slack:C8');
    await append('task.created', 'TSK-99');
    await soon(async () => expect(await told('SUB-1')).toContain('task.created TSK-99'));
    const about = (await rows(h, outbox, { limit: 100 })).filter((m) =>
      JSON.stringify(m.reply).includes(`message.dead ${notice.key}`),
    );
    expect(about).toEqual([]);
  });
});

describe('of several processes', () => {
  test('one routes; what it left undone when it was lost is taken up without another entry', async () => {
    await run('ben', 'subscribe task.created --to slack:C7');
    await h.store.transaction('main', (tx) => holdLease(tx, 'router', 'gone', 10 * SECOND));
    await run('ben', 'task create one');
    const looked = vi.spyOn(h.store, 'read');
    start(createOwn({ store: h.store, workspace: 'main', owner: 'w2', log: silent, ttl: 200 }));
    await soon(() => expect(looked).toHaveBeenCalled());
    expect(await told()).toEqual([]);
    h.clock.pass(11 * SECOND);
    await soon(async () => expect(await told()).toEqual(['task.created TSK-1']));
  });
});

test('a stop is the end of it, also with more to come', async () => {
  await run('ben', 'subscribe task.created --to slack:C7');
  for (let n = 0; n < 450; n += 1) await append('task.created', `TSK-${n}`);
  const router = start();
  await soon(async () => expect((await rows(h, outbox, { limit: 1 })).length).toBe(1));
  await router.stop();
  routers.length = 0;
  const looked = vi.spyOn(h.store, 'transaction');
  expect([200, 400, 450]).toContain((await rows(h, outbox, { limit: 1_000 })).length);
  await append('task.created', 'TSK-0');
  expect(looked).toHaveBeenCalledTimes(2);
});
