import { expect, test } from 'vitest';
import { newId, newSalt } from '../../src/core/ids.ts';

test('ids are UUIDv7 of this moment, each behind the one before, also within a millisecond', () => {
  const before = Date.now();
  const ids = Array.from({ length: 5_000 }, newId);
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const made = Number.parseInt((ids[0] ?? '').replaceAll('-', '').slice(0, 12), 16);
  expect(made).toBeGreaterThanOrEqual(before);
  expect(made).toBeLessThanOrEqual(Date.now());
});

test('salts are 128 bits that never come twice', () => {
  const salts = Array.from({ length: 5_000 }, newSalt);
  expect(new Set(salts).size).toBe(salts.length);
  for (const salt of salts) expect(salt).toMatch(/^[0-9a-f]{32}$/);
});
