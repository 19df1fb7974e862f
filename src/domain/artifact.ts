import { hash } from 'node:crypto';
import { Refusal } from './errors.ts';
import type { Product } from './job.ts';
import { jsonOf } from './json.ts';
import { redact, redactText } from './redact.ts';
import { int, maybe, table, text, time, type Row } from './table.ts';

export const ARTIFACT_STATES = ['draft', 'accepted', 'rejected'] as const;
type ArtifactState = (typeof ARTIFACT_STATES)[number];

/** What a job made: edited until somebody accepts it, then immutable. */
export const artifacts = table('artifacts', {
  ref: text(), // ART-3
  job: maybe(text()), // jobs.ref
  name: text(),
  kind: text<Product['kind']>(),
  mediaType: text(),
  /** Text, JSON text, or base64 of a file. */
  content: text(),
  /** Bytes of what it stands for, and their SHA-256. */
  size: int(),
  sha256: text(),
  state: text<ArtifactState>(),
  createdBy: text(),
  createdAt: time(),
  updatedBy: text(),
  updatedAt: time(),
  decidedBy: maybe(text()),
  decidedAt: maybe(time()),
});

export type ArtifactRow = Row<typeof artifacts>;

/** What each kind is unless told. */
export const MEDIA_TYPES: Readonly<Record<Product['kind'], string>> = {
  text: 'text/plain',
  json: 'application/json',
  file: 'application/octet-stream',
};

/** Of one run. */
export const MOST_ARTIFACTS = 20;
/** Bytes of one, and of all that a run makes. */
export const MOST_BYTES = 1_000_000;
const MOST_IN_ALL = 5_000_000;

/** Fit for a file name anywhere: no control characters, no separators, not only dots. */
const NAME = /^(?!\.+$)[^\p{Cc}\p{Cs}/\\]{1,200}$/u;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,60}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}(?:; ?charset=utf-8)?$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export type Measured = Pick<ArtifactRow, 'content' | 'size' | 'sha256'>;

/** The bytes that a content stands for. */
export const bytesOf = ({ kind, content }: Pick<Product, 'kind' | 'content'>): Buffer =>
  Buffer.from(content, kind === 'file' ? 'base64' : 'utf8');

/**
 * A content with its size and SHA-256.
 * @throws Refusal `invalid_argument` for JSON that does not parse and for a file that is not base64, `too_large`.
 */
export function measure(kind: Product['kind'], content: string): Measured {
  if (kind === 'file' && !BASE64.test(content)) throw unfit('content: expected a file in base64');
  if (kind === 'json' && jsonOf(content) === undefined)
    throw unfit('content: expected JSON of at most 64 levels');
  if (kind !== 'file' && (content.includes('\0') || !content.isWellFormed()))
    throw unfit('content: expected well-formed text without NUL characters');
  const bytes = bytesOf({ kind, content });
  if (bytes.length > MOST_BYTES)
    throw new Refusal('too_large', `An artifact has at most ${MOST_BYTES} bytes; this has ${bytes.length}.`);
  return { content, size: bytes.length, sha256: hash('sha256', bytes, 'hex') };
}

/**
 * What a run made, each without secrets, with its size and SHA-256. Files are kept as they are.
 * @throws Refusal `invalid_argument` or `too_large` that names the artifact, or the bound that was met.
 */
export function measureAll(products: readonly Product[]): (Product & Measured)[] {
  if (products.length > MOST_ARTIFACTS)
    throw new Refusal(
      'too_large',
      `A run makes at most ${MOST_ARTIFACTS} artifacts; this made ${products.length}.`,
    );
  const all = products.map(measureOne);
  const bytes = all.reduce((sum, { size }) => sum + size, 0);
  if (bytes > MOST_IN_ALL)
    throw new Refusal(
      'too_large',
      `The artifacts of a run have at most ${MOST_IN_ALL} bytes; these have ${bytes}.`,
    );
  return all;
}

function measureOne({ name: given, kind, mediaType, content }: Product): Product & Measured {
  const name = redactText(given);
  if (!NAME.test(name)) throw unfit('name: expected 1 to 200 characters of one line, without "/" and "\\"');
  try {
    if (!MEDIA_TYPE.test(mediaType)) throw unfit('mediaType: expected a media type such as text/markdown');
    return { name, kind, mediaType, ...measure(kind, withoutSecrets(kind, content)) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(error.code, `${name}: ${error.message}`);
  }
}

/** JSON keeps the form it was written in, unless something in it has to go. */
function withoutSecrets(kind: Product['kind'], content: string): string {
  if (kind === 'text') return redactText(content);
  const value = kind === 'file' ? undefined : jsonOf(content);
  if (value === undefined) return content;
  const clean = redact(value);
  if (JSON.stringify(clean) === JSON.stringify(value)) return content;
  return JSON.stringify(clean, null, content.includes('\n') ? 2 : 0);
}

const unfit = (expected: string): Refusal => new Refusal('invalid_argument', `${expected}.`);
