import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { basename, resolve, sep } from 'node:path';
import { MEDIA_TYPES, MOST_BYTES } from '../../domain/artifact.ts';
import { Refusal } from '../../domain/errors.ts';
import type { Product } from '../../domain/job.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import { cleanText } from './clean.ts';
import type { Templates } from './template.ts';

/**
 * The artifact that a program announced: `name`, `kind` (text, json or file; file where a path is given and no kind),
 * `mediaType`, and either `content` (text, any JSON for json, base64 for a file) or `path`, a file in its own directory.
 * @throws Refusal that names it when it is none, is elsewhere, or is too large.
 */
export async function productOf(
  announced: JsonObject,
  directory: string,
  templates: Templates,
): Promise<Product> {
  const { path, content } = announced;
  const name = announced['name'] ?? (typeof path === 'string' ? basename(path) : undefined);
  if (typeof name !== 'string') throw unfit('an artifact', 'expected a name');
  const kind = kindOf(announced['kind'] ?? (path === undefined ? 'text' : 'file'));
  if (kind === undefined) throw unfit(name, 'expected text, json or file as its kind');
  const mediaType = announced['mediaType'] ?? MEDIA_TYPES[kind];
  if (typeof mediaType !== 'string') throw unfit(name, 'expected a media type as text');
  if ((path === undefined) === (content === undefined))
    throw unfit(name, 'expected either content or a path');
  const made = { name: cleanText(name, templates), kind, mediaType: cleanText(mediaType, templates) };
  if (typeof path === 'string') {
    const bytes = await readInside(path, directory, name);
    if (kind === 'file') return { ...made, content: bytes.toString('base64') };
    return { ...made, content: cleanText(bytes.toString('utf8'), templates) };
  }
  const text = kind === 'json' && typeof content !== 'string' ? JSON.stringify(content) : content;
  if (typeof text !== 'string') throw unfit(name, 'expected its content or path as text');
  return { ...made, content: kind === 'file' ? text : cleanText(text, templates) };
}

const kindOf = (kind: Json): Product['kind'] | undefined =>
  kind === 'text' || kind === 'json' || kind === 'file' ? kind : undefined;

/** The real file counts, so that no link leads out of the directory; read after the program has ended. */
async function readInside(path: string, directory: string, name: string): Promise<Buffer> {
  const home = await realpath(directory);
  const real = await realpath(resolve(home, path)).catch(() => undefined);
  if (real === undefined) throw unfit(name, 'its file is not there');
  if (!real.startsWith(home + sep)) throw unfit(name, 'its file is not in the directory of the job');
  // Not to wait for whoever writes to a named pipe.
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw unfit(name, 'it is no regular file');
    if (stat.size > MOST_BYTES) throw new Refusal('too_large', `${name}: more than ${MOST_BYTES} bytes.`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

const unfit = (name: string, why: string): Refusal => new Refusal('invalid_argument', `${name}: ${why}.`);
