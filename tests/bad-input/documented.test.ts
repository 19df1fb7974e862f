import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

test('docs/security/bad-input.md names tests that are there', () => {
  const page = readFileSync(`${ROOT}/docs/security/bad-input.md`, 'utf8');
  const named = [...page.matchAll(/\| `(tests\/\S+)`: (.+) \|$/gm)];
  expect(named.length).toBeGreaterThan(30);
  const missing = named.filter(
    ([, file = '', name = '']) =>
      !existsSync(`${ROOT}/${file}`) || !readFileSync(`${ROOT}/${file}`, 'utf8').includes(name),
  );
  expect(missing.map(([row]) => row)).toEqual([]);
  expect(page.split('\n').filter((line) => line.startsWith('|'))).toHaveLength(named.length + 2);
});
