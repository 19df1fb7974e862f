import { open } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Problem } from './problem.ts';

/** What is used where the working directory has no `signalbox.yaml`. */
const EXAMPLE_FILE = fileURLToPath(new URL('../../examples/signalbox.yaml', import.meta.url));
const DEFAULT_FILE = 'signalbox.yaml';
/** Bytes; a thousand runbooks fit. */
const LARGEST = 1_048_576;

export interface ConfigText {
  /** As people would type it from the working directory. */
  readonly file: string;
  readonly text: string | undefined;
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

/** Reads the configuration file that `name` gives, or `signalbox.yaml`, or else the example. */
export async function readConfigText(name: string | undefined, cwd: string): Promise<ConfigText> {
  const path = resolve(cwd, name ?? DEFAULT_FILE);
  const read = await readText(path);
  if (read.fault === 'ENOENT' && name === undefined) {
    const note = `There is no ${DEFAULT_FILE} here, so the example configuration is used.`;
    return { ...(await asConfigText(EXAMPLE_FILE, cwd)), notes: [note] };
  }
  return asConfigText(path, cwd, read);
}

async function asConfigText(path: string, cwd: string, read?: TextRead): Promise<ConfigText> {
  const { text, fault } = read ?? (await readText(path));
  const fromHere = relative(cwd, path);
  const file = fromHere.startsWith('..') || isAbsolute(fromHere) || fromHere === '' ? path : fromHere;
  if (fault === undefined) return { file, text, problems: [], notes: [] };
  const message = `${file} ${FAULTS[fault] ?? `cannot be read (${fault})`}.`;
  const mend = 'Point SIGNALBOX_CONFIG at a readable YAML file in UTF-8 of at most 1 MB.';
  const problem: Problem = { code: 'SBX001', file, line: undefined, column: undefined, message, mend };
  return { file, text: undefined, problems: [problem], notes: [] };
}

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read',
  EISDIR: 'is a directory',
  TOO_LARGE: 'is larger than 1 MB',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'is not UTF-8',
};

interface TextRead {
  readonly text?: string;
  readonly fault?: string;
}

/** The text of a file, read no further than the limit; `fault` is an error code. */
async function readText(path: string): Promise<TextRead> {
  try {
    await using file = await open(path);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(LARGEST + 1), 0, LARGEST + 1, 0);
    if (bytesRead > LARGEST) return { fault: 'TOO_LARGE' };
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, bytesRead)) };
  } catch (error) {
    return { fault: (error as NodeJS.ErrnoException).code ?? 'unknown' };
  }
}

/** The text of `.env` in the working directory, if it can be read. */
export async function readDotenv(cwd: string): Promise<TextRead> {
  const read = await readText(resolve(cwd, '.env'));
  return read.fault === 'ENOENT' ? {} : read;
}
