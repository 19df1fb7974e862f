import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { jobs, type JobRow } from '../../src/domain/job.ts';
import type { Tx } from '../../src/core/store.ts';
import { Endings } from '../../src/worker/endings.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let h: Harness;
let endings: Endings;
let rows: JobRow[];
beforeEach(async () => {
  h = await createHarness();
  for (let n = 0; n < 3; n += 1) await h.run('ana', 'job run restart');
  rows = await h.store.transaction('main', (tx) => tx.find(jobs, { orderBy: [{ column: 'id' }] }));
  endings = new Endings({ ...h, giveUp: new AbortController().signal }, Math.random);
});
afterEach(() => h.close());

const note = (text: string) => async (tx: Tx, row: JobRow | undefined) => {
  if (row) await tx.update(jobs, row, { error: text });
  return row?.ref;
};
const errors = async () =>
  (await h.store.transaction('main', (tx) => tx.find(jobs, { orderBy: [{ column: 'id' }] }))).map(
    (row) => row.error,
  );

test('what comes together is written in one transaction, each with its own row and result', async () => {
  const transactions = vi.spyOn(h.store, 'transaction');
  const refs = await Promise.all(rows.map(({ id }, n) => endings.write(id, note(`end ${n}`))));
  expect(refs).toEqual(rows.map(({ ref }) => ref));
  expect(transactions).toHaveBeenCalledTimes(1);
  expect(await errors()).toEqual(['end 0', 'end 1', 'end 2']);
  await endings.write(rows[0]?.id ?? '', note('later'));
  expect((await errors())[0]).toBe('later');
});

test('one that fails is refused by itself, with nothing of it written, and the others are', async () => {
  const [first, second, third] = rows.map(({ id }) => id);
  const failing = async (tx: Tx, row: JobRow | undefined) => {
    await note('undone')(tx, row);
    throw new Error('no');
  };
  const results = await Promise.allSettled([
    endings.write(first ?? '', note('a')),
    endings.write(second ?? '', failing),
    endings.write(third ?? '', note('c')),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await errors()).toEqual(['a', null, 'c']);
});

test('a job that is not there is given no row, and many are written in several transactions', async () => {
  const transactions = vi.spyOn(h.store, 'transaction');
  const all = await Promise.all(
    Array.from({ length: 100 }, (_, n) => endings.write(`nobody ${n}`, note('x'))),
  );
  expect(all).toEqual(all.map(() => undefined));
  expect(transactions).toHaveBeenCalledTimes(2);
});
