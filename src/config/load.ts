import type { Catalog, Source } from '../domain/catalog.ts';
import { compile, type Environment } from './catalog.ts';
import { mergeEnvironment, readEnvironment, type Options, type Settings } from './env.ts';
import { readConfigText, readDotenv } from './file.ts';
import { ConfigError, type Path, type Problem } from './problem.ts';
import { readYaml, type Position } from './yaml.ts';

export interface Config {
  readonly settings: Settings;
  readonly catalog: Catalog;
  /** All webhook sources; the catalog has those that are on. */
  readonly sources: ReadonlyMap<string, Source>;
  /** Remarks for the start: what is off and why, which example is used. */
  readonly notes: readonly string[];
  /** The configuration file, as people would type it from the working directory. */
  readonly file: string;
  /** What `${env:NAME}` and sources' secrets are looked up in: the real environment over `.env`. */
  readonly env: Environment;
  /** Where something stands in the file. */
  readonly locate: (path: Path) => Position;
}

export interface Place {
  readonly env: Environment;
  /** Working directory. */
  readonly cwd: string;
  readonly options?: Options;
}

/**
 * Reads environment, `.env` and configuration file of the working directory `cwd`. The environment passed in is not
 * changed.
 * @throws ConfigError with everything that is wrong in all of them.
 */
export async function loadConfig({ env: real, cwd, options }: Place): Promise<Config> {
  const dotenv = await readDotenv(cwd);
  const environment = readEnvironment(real, dotenv.text, cwd, options);
  const { env } = environment;
  const source = await readConfigText(env['SIGNALBOX_CONFIG'], cwd);
  const yaml = readYaml(source.text ?? '');
  const problems: Problem[] = [...environment.problems, ...source.problems];
  if (dotenv.fault !== undefined) problems.push(unreadableDotenv(dotenv.fault));
  problems.push(...yaml.problems.map((problem) => ({ file: source.file, ...problem })));
  const notes = new Set([...environment.notes, ...source.notes]);
  const compiled = compile(yaml.value, {
    report: (code, path, message, mend) =>
      void problems.push({ code, file: source.file, ...yaml.locate(path), message, mend }),
    note: (text) => void notes.add(text),
    env,
  });
  const { settings } = environment;
  if (problems.length > 0 || settings === undefined) throw new ConfigError(problems);
  return Object.freeze({
    settings,
    ...compiled,
    notes: [...notes],
    file: source.file,
    env,
    locate: yaml.locate,
  });
}

/** The settings alone, for what has to work whatever is wrong with the configuration file. @throws ConfigError */
export async function loadSettings({ env, cwd }: { env: Environment; cwd: string }): Promise<Settings> {
  const dotenv = await readDotenv(cwd);
  const { settings, problems } = readEnvironment(env, dotenv.text, cwd);
  const all = dotenv.fault === undefined ? problems : [...problems, unreadableDotenv(dotenv.fault)];
  if (all.length > 0 || settings === undefined) throw new ConfigError(all);
  return settings;
}

/** The real environment over the `.env` of `cwd`, for what needs no configuration: the command line's client. */
export async function readMergedEnvironment(real: Environment, cwd: string): Promise<Environment> {
  const { text } = await readDotenv(cwd);
  return mergeEnvironment(real, text);
}

/** The values of a source's secrets that are set, the newest first as written; for verifying its signatures. */
export function sourceSecrets({ sources, env }: Pick<Config, 'sources' | 'env'>, name: string): string[] {
  return (sources.get(name)?.secrets ?? []).flatMap((variable) => env[variable] ?? []);
}

const unreadableDotenv = (fault: string): Problem => ({
  code: 'SBX001',
  file: '.env',
  line: undefined,
  column: undefined,
  message: `.env cannot be read (${fault}).`,
  mend: 'Make it a readable UTF-8 file of at most 1 MB, or remove it.',
});
