import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { DAY, HOUR, type Clock } from '../domain/clock.ts';
import { signingKeys } from '../domain/records.ts';
import type { Row } from '../domain/table.ts';
import type { Store, Tx } from './store.ts';
import { MIN_BITS, publicKeyOf, TOKEN_LIFE } from './tokens.ts';

const generate = promisify(generateKeyPair);

/** How long readers may keep the key set; a key is published this long before it signs. */
export const JWKS_CACHE = HOUR;
/** How long a key signs before the next one takes over. */
export const ROTATE_EVERY = 30 * DAY;

type KeyRow = Row<typeof signingKeys>;

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

/** Makes a private key as PKCS #8 PEM and its public JWK; takes a while, so it is made outside of transactions. */
export type KeyMaker = () => Promise<{ privatePem: string; publicJwk: Record<string, string> }>;

export const makeRsaKey: KeyMaker = async () => {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: MIN_BITS });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privatePem, publicJwk: { kty: 'RSA', n, e } };
};

export interface KeyRing {
  /** The key that signs now; makes the first one, and publishes the next in time. */
  signer(): Promise<SigningKey>;
  /** The public key of a `kid` that is still published. */
  publicKey(kid: string): Promise<KeyObject | undefined>;
  /** The published set, the coming key included (RFC 7517). */
  jwks(): Promise<{ keys: readonly Record<string, unknown>[] }>;
  /** Brings the next key in now: published at once, signing after the cache time. For a key that may have leaked. */
  rotate(): Promise<void>;
  stop(): void;
}

/** Our signing keys in `signing_keys`: published before they sign, kept until the last token of theirs is over. */
export function createKeyRing(options: {
  readonly store: Store;
  readonly clock: Clock;
  readonly workspace: string;
  readonly make?: KeyMaker;
}): KeyRing {
  const { store, clock, workspace, make = makeRsaKey } = options;
  let known: readonly KeyRow[] | undefined;
  let generation = 0;
  let growing: Promise<void> | undefined;
  const parsed = new Map<string, KeyObject>();
  const stop = store.onCommit((commit) => {
    if (commit.workspace !== workspace || !commit.tables.has(signingKeys.name)) return;
    generation += 1;
    known = undefined;
    parsed.clear();
  });

  async function rows(): Promise<readonly KeyRow[]> {
    if (known !== undefined) return known;
    const before = generation;
    const read = await store.transaction(workspace, (tx) => readKeys(tx));
    if (before === generation) known = read;
    return read;
  }

  /** One at a time here; another process that came first is seen inside the transaction. */
  async function grow(when: (keys: readonly KeyRow[], now: Date) => Date | undefined): Promise<void> {
    growing ??= (async () => {
      const made = await make();
      await store.transaction(workspace, async (tx) => {
        const signsFrom = when(await readKeys(tx), tx.now);
        if (signsFrom !== undefined) await addKey(tx, made, signsFrom);
      });
    })().finally(() => {
      growing = undefined;
    });
    await growing;
  }

  async function live(): Promise<readonly KeyRow[]> {
    let keys = await rows();
    if (nextStart(keys, clock.now()) !== undefined) {
      await grow(nextStart);
      keys = await rows();
    }
    const now = clock.now();
    return keys.filter((key) => key.retiresAt > now);
  }

  function parse(id: string, read: () => KeyObject): KeyObject {
    const key = parsed.get(id) ?? read();
    parsed.set(id, key);
    return key;
  }

  return {
    stop,
    async signer() {
      const key = signing(await live(), clock.now());
      if (key === undefined) throw new Error('no signing key after one was made');
      return { kid: key.id, privateKey: parse(`private ${key.id}`, () => createPrivateKey(key.privatePem)) };
    },
    async publicKey(kid) {
      const now = clock.now();
      const key = (await rows()).find((row) => row.id === kid && row.retiresAt > now);
      return key && parse(kid, () => publicKeyOf(key.publicJwk));
    },
    async jwks() {
      const keys = await live();
      return { keys: keys.map((key) => ({ ...key.publicJwk, kid: key.id, use: 'sig', alg: 'RS256' })) };
    },
    rotate: () =>
      grow((keys, now) =>
        signing(keys, now) === undefined
          ? now
          : keys.some((k) => k.signsFrom > now)
            ? undefined
            : after(now, JWKS_CACHE),
      ),
  };
}

const after = (at: Date, milliseconds: number): Date => new Date(at.getTime() + milliseconds);

function readKeys(tx: Tx): Promise<KeyRow[]> {
  return tx.find(signingKeys, { orderBy: [{ column: 'signsFrom', descending: true }], limit: 100 });
}

/** The newest key that has begun to sign; `keys` come newest first. */
function signing(keys: readonly KeyRow[], now: Date): KeyRow | undefined {
  return keys.find((key) => key.signsFrom <= now && key.retiresAt > now);
}

/** When a new key should begin to sign, or undefined while none is wanted. */
function nextStart(keys: readonly KeyRow[], now: Date): Date | undefined {
  const current = signing(keys, now);
  if (current === undefined) return now;
  if (keys.some((key) => key.signsFrom > now)) return undefined;
  const publishAt = current.signsFrom.getTime() + ROTATE_EVERY - JWKS_CACHE;
  return publishAt <= now.getTime() ? after(now, JWKS_CACHE) : undefined;
}

/** Adds the key, fixes the end of those before it, and drops those that are over. */
async function addKey(tx: Tx, made: Awaited<ReturnType<KeyMaker>>, signsFrom: Date): Promise<void> {
  const { privatePem, publicJwk } = made;
  await tx.remove(signingKeys, { retiresAt: { atMost: tx.now } });
  const ends = after(signsFrom, TOKEN_LIFE + JWKS_CACHE);
  for (const old of await readKeys(tx)) {
    if (old.retiresAt > ends) await tx.update(signingKeys, old, { retiresAt: ends });
  }
  // Nobody rotates a server that is off; a key must not end before the next one signs.
  const retiresAt = after(signsFrom, 10 * ROTATE_EVERY);
  await tx.insert(signingKeys, { id: tx.id(), privatePem, publicJwk, signsFrom, retiresAt });
}
