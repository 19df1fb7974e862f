import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { sha256 } from '../domain/json.ts';

/** Gives that many unpredictable bytes. */
export type Random = (bytes: number) => Buffer;
export const systemRandom: Random = (bytes) => randomBytes(bytes);

/** 32 random bytes as base64url: 256 bits, so that its bare SHA-256 may be stored and looked up. */
export function newSecret(random: Random = systemRandom): string {
  return random(32).toString('base64url');
}

const API_KEY = /^sb_([0-9a-zA-Z-]{1,64})_([0-9a-zA-Z_-]{43})$/;

/** The key as its owner gets it, once: `sb_<id>_<secret>`. `id` is the row's id in `keys`. */
export function formatKey(id: string, secret: string): string {
  return `sb_${id}_${secret}`;
}

/**
 * Takes a bearer apart into the id of its row in `keys` and the secret whose hash stands there. A bearer of any other
 * form is a token that an operator chose (`SIGNALBOX_ADMIN_TOKEN`); its row is named after its own digest.
 */
export function keyParts(bearer: string): { readonly id: string; readonly secret: string } {
  const match = API_KEY.exec(bearer);
  if (match?.[1] !== undefined && match[2] !== undefined) return { id: match[1], secret: match[2] };
  return { id: `chosen-${sha256(`signalbox key id ${bearer}`).slice(0, 16)}`, secret: bearer };
}

/** What `keys.hash` holds. */
export const hashSecret = sha256;

/** Compares a secret with a stored hash in constant time; digests have equal lengths, which timingSafeEqual demands. */
export function secretMatches(secret: string, hash: string): boolean {
  const given = createHash('sha256').update(secret, 'utf8').digest();
  const stored = Buffer.from(hash, 'hex');
  return given.length === stored.length && timingSafeEqual(given, stored);
}
