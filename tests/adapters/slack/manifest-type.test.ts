import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { tempFolder } from '../../support/temp.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const run = promisify(execFile);

/** What the compiler says of this value as a manifest of Slack's SDK; nothing where it is one. */
async function complaints(manifest: unknown): Promise<string> {
  const folder = tempFolder();
  const options = {
    compilerOptions: {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      module: 'nodenext',
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
      paths: { '@slack/web-api': [join(root, 'node_modules/@slack/web-api/dist/index.d.ts')] },
    },
    files: ['manifest.ts'],
  };
  const source = [
    "import type { AppsManifestValidateArguments } from '@slack/web-api';",
    `export const manifest: AppsManifestValidateArguments['manifest'] = ${JSON.stringify(manifest, null, 2)};`,
  ];
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(options));
  await writeFile(join(folder, 'manifest.ts'), source.join('\n'));
  const compiler = join(root, 'node_modules/.bin/tsc');
  return run(compiler, ['-p', folder]).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
}

test('the manifest is one of the SDK’s own type', async () => {
  const manifest = parse(await readFile(join(root, 'manifest.yml'), 'utf8')) as { settings: object };
  expect(await complaints(manifest)).toBe('');
  const broken = { ...manifest, settings: { ...manifest.settings, interactivity: { is_enabled: 'yes' } } };
  expect(await complaints(broken)).toContain("Type 'string' is not assignable to type 'boolean'");
});
