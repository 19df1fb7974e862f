import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, loadConfig, type Config, type Environment } from '../../src/config/index.ts';
import { tempFolder } from '../support/temp.ts';

/** Loads `files` (name → content) from a folder of their own. */
export function load(
  files: Readonly<Record<string, string | Uint8Array>>,
  env: Environment = {},
): Promise<Config> {
  const cwd = tempFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content);
  return loadConfig({ env, cwd });
}

export const loadYaml = (text: string, env: Environment = {}): Promise<Config> =>
  load({ 'signalbox.yaml': text }, env);

/** The error of a configuration that must not load. */
export async function refusal(loading: Promise<unknown>): Promise<ConfigError> {
  const outcome = await loading.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof ConfigError) return outcome;
  throw new Error('It should have been refused as a configuration.', { cause: outcome });
}

/** The fake secrets of these tests are put together, so that no file holds one in clear. */
export const together = (...parts: readonly string[]): string => parts.join('');
export const fake = (prefix: string): string => together(prefix, '0123456789abcdefABCDEF0123456789');
