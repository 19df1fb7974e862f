import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** Made here and now, so that this file holds none itself. */
const SECRETS: Readonly<Record<string, string>> = {
  'key.pem': generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString(),
  'src/slack.ts': `export const token = 'xoxb-${'1'.repeat(12)}-${'2'.repeat(12)}-${randomBytes(12).toString('hex')}';`,
  'docs/key.md': `Use sb_${randomBytes(4).toString('hex')}_${randomBytes(32).toString('hex')} for it.`,
  '.env.example': `HOOK_SECRET=whsec_${randomBytes(32).toString('base64')}`,
};
const HARMLESS = `export const token = 'sb_fake0001_${'a'.repeat(43)}'; // a test's\n`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-secrets-'));
  copyFileSync(join(ROOT, '.secretlintrc.json'), join(folder, '.secretlintrc.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const name of ['src', 'docs', 'tests']) mkdirSync(join(folder, name));
  for (const [name, text] of Object.entries(SECRETS)) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, 'tests/fake.ts'), HARMLESS);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('`npm run check` finds a secret that was left in a file', () => {
  expect(scripts['check']).toContain('npm run secrets');
  const run = spawnSync(`${scripts['secrets']} --format json`, {
    cwd: folder,
    shell: true,
    encoding: 'utf8',
    env: { ...process.env, PATH: [join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter) },
  });
  expect(run.status, run.stdout + run.stderr).toBe(1);
  const found = (JSON.parse(run.stdout) as { filePath: string; messages: unknown[] }[])
    .filter(({ messages }) => messages.length > 0)
    .map(({ filePath }) => filePath.slice(folder.length + 1));
  expect(found.toSorted()).toEqual(Object.keys(SECRETS).toSorted());
});
