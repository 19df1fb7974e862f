import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHomes, type Homes } from '../../src/core/homes.ts';
import { DAY } from '../../src/domain/clock.ts';
import { homes as table } from '../../src/domain/records.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { rows } from './support.ts';

let h: Harness;
let homes: Homes;
const lately = async () => (await homes.lately()).map(({ subject }) => subject).toSorted();

describe.each(DATABASES)('who has opened their Home, on %s', (_name, open) => {
  beforeEach(async () => {
    h = await open();
    homes = createHomes(h.store, 'main', 'slack');
  });
  afterEach(() => h.close());

  test('is kept, each once, and another time is told from the one before', async () => {
    await homes.opened('T1/UANA');
    await homes.opened('T1/UBEN');
    const [first] = (await homes.lately()).filter(({ subject }) => subject === 'T1/UANA');
    await homes.opened('T1/UANA');
    expect(await lately()).toEqual(['T1/UANA', 'T1/UBEN']);
    const [second] = (await homes.lately()).filter(({ subject }) => subject === 'T1/UANA');
    expect(second?.time).not.toBe(first?.time);
  });

  test('is of one channel and one workspace', async () => {
    await homes.opened('T1/UANA');
    expect(await createHomes(h.store, 'main', 'teams').lately()).toEqual([]);
    expect(await createHomes(h.store, 'other', 'slack').lately()).toEqual([]);
  });

  test('is forgotten after 30 days', async () => {
    await homes.opened('T1/UANA');
    h.clock.pass(29 * DAY);
    await homes.opened('T1/UBEN');
    expect(await lately()).toEqual(['T1/UANA', 'T1/UBEN']);
    h.clock.pass(DAY);
    expect(await lately()).toEqual(['T1/UBEN']);
    await homes.opened('T1/UBEN');
    expect(await rows(h, table)).toHaveLength(1);
  });

  test('is forgotten when asked to, but not where it was opened again since', async () => {
    await homes.opened('T1/UANA');
    const [before] = await homes.lately();
    await homes.opened('T1/UANA');
    if (before) await homes.forget(before);
    expect(await lately()).toEqual(['T1/UANA']);
    const [now] = await homes.lately();
    if (now) await homes.forget(now);
    expect(await lately()).toEqual([]);
  });

  test('what may change one is told, and what cannot is not', async () => {
    const heard: unknown[] = [];
    const stop = homes.onChange((change) => heard.push(change));
    await h.run('ana', 'task create one');
    await h.run('ana', 'task list');
    await h.run('ana', 'key create desk');
    await homes.opened('T1/UANA');
    expect(heard).toEqual([
      { shown: true, opened: false },
      { shown: false, opened: true },
    ]);
    stop();
    await h.run('ana', 'task create two');
    expect(heard).toHaveLength(2);
  });
});
