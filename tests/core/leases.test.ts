import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { holdLease, releaseLease } from '../../src/core/leases.ts';
import { createHarness, type Harness } from '../support/harness.ts';

describe('leases', () => {
  let h: Harness;
  beforeEach(async () => {
    h = await createHarness();
  });
  afterEach(() => h.close());
  const hold = (holder: string) =>
    h.store.transaction('main', (tx) => holdLease(tx, 'mailbox', holder, 1_000));
  const release = (fence: number) =>
    h.store.transaction('main', (tx) => releaseLease(tx, { name: 'mailbox', fence }));

  test('one holder at a time, and its fence stays while it keeps the lease', async () => {
    expect(await hold('a')).toMatchObject({ holder: 'a', fence: 1 });
    expect(await hold('b')).toBeUndefined();
    h.clock.pass(600);
    expect(await hold('a')).toMatchObject({ fence: 1, expiresAt: new Date(h.clock.now().getTime() + 1_000) });
    h.clock.pass(600);
    expect(await hold('b')).toBeUndefined();
  });

  test('after its time another takes over with a higher fence, and the earlier one no longer holds', async () => {
    await hold('a');
    h.clock.pass(1_000);
    expect(await release(1)).toBe(false);
    expect(await hold('b')).toMatchObject({ holder: 'b', fence: 2 });
    expect(await hold('a')).toBeUndefined();
    expect([await release(1), await release(2)]).toEqual([false, true]);
  });

  test('the same holder that let it run out gets a new fence', async () => {
    await hold('a');
    h.clock.pass(5_000);
    expect(await hold('a')).toMatchObject({ fence: 2 });
  });

  test('one that a clock set back made too long is taken over a lease later, and renewed at once if its holder lives', async () => {
    await hold('a');
    h.clock.pass(-3_600_000);
    expect(await hold('b')).toBeUndefined();
    h.clock.pass(999);
    expect(await hold('b')).toBeUndefined();
    h.clock.pass(1);
    expect(await hold('b')).toMatchObject({ holder: 'b', fence: 2 });
    h.clock.pass(-3_600_000);
    expect(await hold('b')).toMatchObject({ fence: 2, expiresAt: new Date(h.clock.now().getTime() + 1_000) });
  });

  test('of two at once one holds it', async () => {
    expect((await Promise.all([hold('a'), hold('b')])).filter(Boolean)).toHaveLength(1);
  });

  test('given up, it is free at once; a lost one cannot be given up', async () => {
    await hold('a');
    expect(await release(7)).toBe(false);
    expect(await release(1)).toBe(true);
    expect(await release(1)).toBe(false);
    expect(await hold('b')).toMatchObject({ fence: 2 });
  });
});
