import { createPublicKey, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { Refusal } from '../domain/errors.ts';
import { MINUTE } from '../domain/clock.ts';

/**
 * The one module that touches jsonwebtoken, which by itself ignores `crit`, accepts tokens without `exp` and keys of
 * any length. Here everything is pinned: RS256, `typ`, `kid`, issuer, audience, life and the claims of RFC 9068.
 */
export const TOKEN_LIFE = 15 * MINUTE;

/** RFC 7518 section 3.3: RS256 keys have at least 2048 bits. */
export const MIN_BITS = 2048;

const ALGORITHM = 'RS256';
/** RFC 9068 section 2.1: an access token says so, hence an identity token of the same issuer is none. */
const TYPE = 'at+jwt';
const HEADERS = 'alg,kid,typ';
const LONGEST = 4_096;
/** A JSON object in base64url begins with `eyJ`, which tells a token from a key that an operator chose. */
const SHAPE = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

export interface AccessClaims {
  /** The principal's name. */
  readonly subject: string;
  /** The API key that it descends from: revoking the key ends the token. */
  readonly keyId: string;
  readonly scopes: readonly string[];
  readonly tokenId: string;
}

export interface Binding {
  readonly issuer: string;
  readonly audience: string;
}

export interface VerifiedClaims extends AccessClaims {
  readonly expiresAt: Date;
}

/** Whether a bearer has the three parts of a signed token (and is no API key). */
export function looksSigned(bearer: string): boolean {
  return bearer.length <= LONGEST && SHAPE.test(bearer);
}

/** Signs an access token that lives 15 minutes. @throws RangeError for a key that is no RSA key of 2048 bits. */
export function signToken(
  claims: AccessClaims,
  key: { readonly kid: string; readonly privateKey: KeyObject },
  binding: Binding,
  now: Date,
): string {
  checkKey(key.privateKey);
  const issued = Math.floor(now.getTime() / 1_000);
  const payload = {
    iss: binding.issuer,
    aud: binding.audience,
    sub: claims.subject,
    client_id: claims.keyId,
    scope: claims.scopes.join(' '),
    jti: claims.tokenId,
    iat: issued,
    exp: issued + TOKEN_LIFE / 1_000,
  };
  return jwt.sign(payload, key.privateKey, {
    algorithm: ALGORITHM,
    header: { alg: ALGORITHM, typ: TYPE, kid: key.kid },
  });
}

/**
 * Proves an access token of ours. `keyOf` gives the published key of a `kid`.
 * @throws Refusal `unauthenticated`, the same for every fault of the token; what `keyOf` throws as it is.
 */
export async function verifyToken(
  token: string,
  keyOf: (kid: string) => Promise<KeyObject | undefined>,
  binding: Binding,
  now: Date,
): Promise<VerifiedClaims> {
  const key = await keyOf(strictly(() => readKid(token)));
  return strictly(() => {
    if (key === undefined) throw new TypeError('unknown kid');
    checkKey(key);
    const payload: unknown = jwt.verify(token, key, {
      algorithms: [ALGORITHM],
      issuer: binding.issuer,
      audience: binding.audience,
      clockTimestamp: Math.floor(now.getTime() / 1_000),
    });
    return readClaims(payload, binding, now);
  });
}

function strictly<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    throw new Refusal('unauthenticated', 'This key or token does not hold; ask for a new one.', { cause });
  }
}

/** Only our three header parameters pass, which shuts out `crit`, `jku`, `jwk`, `x5u` and `b64` without naming them. */
function readKid(token: string): string {
  if (!looksSigned(token)) throw new TypeError('not a signed token');
  const header: unknown = JSON.parse(
    Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('utf8'),
  );
  if (typeof header !== 'object' || header === null) throw new TypeError('header');
  if (Object.keys(header).toSorted().join() !== HEADERS) throw new TypeError('header parameters');
  const { alg, typ, kid } = header as Record<string, unknown>;
  if (alg !== ALGORITHM || typ !== TYPE || typeof kid !== 'string') throw new TypeError('header values');
  return kid;
}

function readClaims(payload: unknown, binding: Binding, now: Date): VerifiedClaims {
  if (typeof payload !== 'object' || payload === null) throw new TypeError('payload');
  const { sub, client_id, scope, jti, iat, exp, aud } = payload as Record<string, unknown>;
  if (typeof sub !== 'string' || typeof client_id !== 'string') throw new TypeError('sub, client_id');
  if (typeof scope !== 'string' || typeof jti !== 'string') throw new TypeError('scope, jti');
  // The library accepts a list of audiences and a token without an end.
  if (aud !== binding.audience) throw new TypeError('aud');
  if (typeof iat !== 'number' || typeof exp !== 'number') throw new TypeError('iat, exp');
  if (exp - iat > TOKEN_LIFE / 1_000 || iat * 1_000 > now.getTime() + MINUTE) throw new TypeError('life');
  const scopes = scope.split(' ').filter((s) => s !== '');
  return { subject: sub, keyId: client_id, scopes, tokenId: jti, expiresAt: new Date(exp * 1_000) };
}

function checkKey(key: KeyObject): void {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < MIN_BITS)
    throw new RangeError(`a signing key has to be RSA with at least ${MIN_BITS} bits`);
}

/** The public half of a published JWK. @throws RangeError when it is too short. */
export function publicKeyOf(jwk: Readonly<Record<string, unknown>>): KeyObject {
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  checkKey(key);
  return key;
}
