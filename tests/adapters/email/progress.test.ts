import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Progress } from '../../../adapters/email/progress.ts';

test('the cursor follows what is settled, oldest first', () => {
  const progress = new Progress({ uidValidity: '1', lastUid: 4 });
  expect(progress.due([9, 4, 7])).toEqual([7, 9]);
  expect(progress.settle(7)).toBe(true);
  expect(progress.cursor).toEqual({ uidValidity: '1', lastUid: 7 });
  expect(progress.settle(9)).toBe(true);
  expect(progress.due([9])).toEqual([]);
});

test('a mail that waits holds back the cursor, not the mails after it', () => {
  const progress = new Progress({ uidValidity: '1', lastUid: 0 });
  expect(progress.due([1, 2, 3])).toEqual([1, 2, 3]);
  progress.postpone(1);
  expect(progress.settle(2)).toBe(false);
  expect(progress.settle(3)).toBe(false);
  expect(progress.cursor.lastUid).toBe(0);
  expect(progress.due([1, 2, 3, 4])).toEqual([1, 4]);
  expect(progress.settle(1)).toBe(true);
  expect(progress.cursor.lastUid).toBe(3);
});

test('a mail that keeps waiting is tried more and more rarely, but never given up', () => {
  const progress = new Progress({ uidValidity: '1', lastUid: 0 });
  const tried: number[] = [];
  for (let look = 0; look < 200; look += 1) {
    if (progress.due([1]).length === 0) continue;
    tried.push(look);
    progress.postpone(1);
  }
  expect(tried.slice(0, 6)).toEqual([0, 1, 3, 7, 15, 31]);
  expect(Math.max(...tried.slice(1).map((look, index) => look - (tried[index] ?? 0)))).toBe(32);
});

test('whatever waits, every mail is settled once and the cursor passes none that is not', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 30 }), (waits) => {
      const progress = new Progress({ uidValidity: '1', lastUid: 0 });
      const uids = waits.map((_, index) => index + 1);
      const left = new Map(uids.map((uid) => [uid, waits[uid - 1] ?? 0]));
      const done: number[] = [];
      for (let look = 0; look < 100; look += 1) {
        for (const uid of progress.due(uids)) {
          const wait = left.get(uid) ?? 0;
          left.set(uid, wait - 1);
          if (wait > 0) progress.postpone(uid);
          else {
            done.push(uid);
            progress.settle(uid);
          }
          expect(
            uids.filter((one) => one <= progress.cursor.lastUid).every((one) => done.includes(one)),
          ).toBe(true);
        }
      }
      expect(done.toSorted((a, b) => a - b)).toEqual(uids);
      expect(progress.cursor.lastUid).toBe(uids.length);
    }),
  );
});
