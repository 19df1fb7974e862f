import { expect, test } from 'vitest';
import { Line } from '../../../src/store/postgres/line.ts';

const TABLES = [{ name: 'keys' }];

test('a count that was seen before its group was undone never comes again for other rows', () => {
  const line = new Line('w');
  const seen = new Set<number>();
  for (let n = 0; n < 5; n += 1) {
    line.begin('{"keys":3}', n);
    // What is committed is the same each time, and has one number for as long as nobody writes.
    seen.add(line.revisionOf(TABLES));
    line.wrote('keys');
    expect(seen).not.toContain(line.revisionOf(TABLES));
    seen.add(line.revisionOf(TABLES));
    line.abandoned();
    line.begin('{"keys":3}', n);
    expect(seen).not.toContain(line.revisionOf(TABLES));
  }
});

test('a look has the numbers of what is committed, and none while a group of ours may commit other rows', () => {
  const line = new Line('w');
  line.begin('{"keys":3}', 1);
  const before = line.revisionOf(TABLES);
  const look = line.revisionAt('{"keys":3}');
  expect(look(TABLES)).toBe(before);
  line.wrote('keys');
  expect(look(TABLES)).toBeNaN();
  expect(look([{ name: 'tasks' }])).toBe(0);
  const after = line.revisionOf(TABLES);
  line.committed(2, new Map());
  expect(look(TABLES)).toBe(before);
  expect(line.revisionAt('{"keys":4}')(TABLES)).toBe(after);
});
