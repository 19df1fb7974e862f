import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ELSEWHERE, variablesIn } from '../../src/config/variables.ts';
import { run } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const guide = readFileSync(join(ROOT, 'docs/deploy-postgres.md'), 'utf8');
const unique = (pattern: RegExp): string[] => [
  ...new Set([...guide.matchAll(pattern)].map(([whole, part]) => part ?? whole)),
];

test('it names metrics that there are', () => {
  const sources = globSync('src/**/*.ts', { cwd: ROOT })
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('');
  const named = unique(/`(signalbox_(?:job|command|channel)\w*)`/g);
  expect(named.length).toBeGreaterThan(5);
  for (const name of named) expect(sources).toContain(`'${name}'`);
});

test('it names variables that there are', () => {
  const known = [...Object.keys(variablesIn(ROOT).shape), ...ELSEWHERE];
  const named = unique(/\b(SIGNALBOX_[A-Z_]+|TRUSTED_PROXIES)\b/g);
  expect(named.length).toBeGreaterThan(4);
  expect(known).toEqual(expect.arrayContaining(named));
});

test('it names subcommands and options that there are', async () => {
  const usage = (await run([], { folder: tempFolder() })).err;
  for (const verb of unique(/npx signalbox (\w+)/g)) expect(usage).toMatch(new RegExp(`^  ${verb} `, 'm'));
  for (const option of unique(/npx signalbox [^\n`]*?(--[a-z-]+)/g)) expect(usage).toContain(option);
});

test('what it says stands outside row-level security is what does', () => {
  const sql = globSync('migrations/postgres/*.sql', { cwd: ROOT })
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('')
    .concat('CREATE TABLE schema_version (');
  const tables = [...sql.matchAll(/CREATE (?:UNLOGGED )?TABLE (\w+) \(([^;]*)/g)];
  const outside = tables
    .filter(([, , body]) => !/\bworkspace text\b/.test(body ?? ''))
    .map(([, name]) => name);
  for (const name of outside) expect(guide).toContain(`\`${name}\``);
  expect(outside).toContain('workspaces');
});
