import { spawnSync } from 'node:child_process';
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
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const LAYER = 'eslint(no-restricted-imports)';

/** Files that break a rule, each with one line and the rule that has to name it. */
const VIOLATIONS: readonly (readonly [file: string, line: string, rule: string])[] = [
  ['src/domain/uses-core.ts', `import '../core/store.ts';`, LAYER],
  ['src/domain/uses-core-type.ts', `export type { Store } from '../core/store.ts';`, LAYER],
  ['src/domain/uses-files.ts', `import 'node:fs';`, LAYER],
  ['src/domain/uses-network.ts', `import 'undici';`, LAYER],
  ['src/domain/deep/uses-commands.ts', `import '../../../commands/index.ts';`, LAYER],
  ['src/core/uses-store.ts', `import '../store/sqlite/store.ts';`, LAYER],
  ['src/core/uses-store-later.ts', `export const load = () => import('../store/sqlite/store.ts');`, LAYER],
  ['src/core/uses-worker.ts', `import '../worker/loop.ts';`, LAYER],
  ['src/core/uses-adapter.ts', `import '../../adapters/http.ts';`, LAYER],
  ['src/core/uses-driver.ts', `import 'better-sqlite3';`, LAYER],
  ['src/core/vouches.ts', `import { verified } from './message.ts';\nverified();`, LAYER],
  ['src/store/uses-worker.ts', `import '../worker/loop.ts';`, LAYER],
  ['src/store/uses-commands.ts', `import '../../commands/index.ts';`, LAYER],
  ['src/worker/uses-store.ts', `import '../store/sqlite/store.ts';`, LAYER],
  ['src/worker/uses-config.ts', `import '../config/env.ts';`, LAYER],
  ['src/worker/vouches.ts', `import { verified } from '../core/message.ts';\nverified();`, LAYER],
  ['src/config/uses-store.ts', `import '../store/sqlite/store.ts';`, LAYER],
  ['src/config/uses-app.ts', `import '../app.ts';`, LAYER],
  ['src/worker/uses-metrics.ts', `import '../metrics.ts';`, LAYER],
  ['adapters/slack/uses-list.ts', `import '../index.ts';`, LAYER],
  ['src/vouches.ts', `import { verified } from './core/message.ts';\nverified();`, LAYER],
  ['src/cli/uses-store.ts', `import '../store/sqlite/store.ts';`, LAYER],
  ['commands/uses-store.ts', `import '../src/store/sqlite/store.ts';`, LAYER],
  ['commands/uses-adapter.ts', `import '../adapters/slack/index.ts';`, LAYER],
  ['commands/uses-drizzle.ts', `import 'drizzle-orm/sqlite-core';`, LAYER],
  ['commands/vouches.ts', `import { verified } from '../src/core/message.ts';\nverified();`, LAYER],
  ['adapters/slack/uses-email.ts', `import '../email/index.ts';`, LAYER],
  ['adapters/slack/uses-store.ts', `import '../../src/store/sqlite/store.ts';`, LAYER],
  ['adapters/slack/uses-config.ts', `import '../../src/config/env.ts';`, LAYER],
  ['adapters/slack/uses-command.ts', `import '../../commands/task.ts';`, LAYER],
  ['adapters/webhook/verify/uses-rest.ts', `import '../../rest/index.ts';`, LAYER],
  ['adapters/webhook/verify/uses-worker.ts', `import '../../../src/worker/loop.ts';`, LAYER],
  ['adapters/uses-command.ts', `import '../commands/task.ts';`, LAYER],
  ['src/core/circle-a.ts', `import type { B } from './circle-b.ts';\nexport type A = B;`, 'import(no-cycle)'],
  ['src/core/circle-b.ts', `import type { A } from './circle-a.ts';\nexport type B = A;`, 'import(no-cycle)'],
  [
    'src/core/forgets.ts',
    `export const go = () => void 0;\nPromise.resolve(1);`,
    'typescript(no-floating-promises)',
  ],
  ['src/core/hides.ts', `export const hidden: any = 1;`, 'typescript(no-explicit-any)'],
];

/** What has to stay allowed, so that the rules do not simply refuse everything. */
const ALLOWED: readonly (readonly [file: string, line: string])[] = [
  ['src/domain/fine.ts', `import './clock.ts';\nimport 'node:crypto';`],
  ['src/core/fine.ts', `import '../domain/clock.ts';\nimport './store.ts';\nimport './language/read.ts';`],
  ['src/core/bearer.ts', `import { verified } from './message.ts';\nverified();`],
  ['src/store/fine.ts', `import '../core/store.ts';\nimport 'better-sqlite3';`],
  ['commands/fine.ts', `import '../src/core/store.ts';\nimport '../src/domain/clock.ts';`],
  ['adapters/index.ts', `import './slack/fine.ts';\nexport const load = () => import('./email/index.ts');`],
  [
    'adapters/slack/fine.ts',
    `import '../http.ts';\nimport { verified } from '../../src/core/message.ts';\nverified();`,
  ],
  [
    'adapters/webhook/verify/fine.ts',
    `import '../rules.ts';\nimport '../../http.ts';\nimport '../../../src/domain/clock.ts';`,
  ],
  [
    'src/app.ts',
    `import './store/sqlite/store.ts';\nimport '../adapters/index.ts';\nimport '../commands/index.ts';`,
  ],
];

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
}

describe('the lint of `npm run check`', () => {
  const scripts = (
    JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  ).scripts;
  let folder: string;
  let found: Diagnostic[];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'signalbox-layers-'));
    for (const name of ['.oxlintrc.json', 'tsconfig.json'])
      copyFileSync(join(ROOT, name), join(folder, name));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const [file, line] of [...VIOLATIONS, ...ALLOWED]) plant(file, line);
    plant('src/core/message.ts', 'export const verified = () => undefined;');
    found = lint();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const plant = (file: string, line: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${line}\nexport const planted = true;\n`);
  };

  /** The very command of `npm run lint`, in the folder of planted files, for a machine to read. */
  const lint = (): Diagnostic[] => {
    const run = spawnSync(`${scripts['lint']} --format json`, {
      cwd: folder,
      shell: true,
      encoding: 'utf8',
      env: { ...process.env, PATH: [join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter) },
    });
    expect(run.status, run.stdout + run.stderr).toBe(1);
    return (JSON.parse(run.stdout) as { diagnostics: Diagnostic[] }).diagnostics;
  };

  test('is part of it', () => {
    expect(scripts['check']).toContain('npm run lint');
  });

  test.each(VIOLATIONS)('catches %s', (file, _line, rule) => {
    expect(found.filter((d) => d.filename === file).map((d) => d.code)).toContain(rule);
  });

  test.each(ALLOWED)('lets %s pass', (file) => {
    const layers = found.filter((d) => d.filename === file && d.code === LAYER);
    expect(layers).toEqual([]);
  });
});
