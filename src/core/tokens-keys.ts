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
  /** Brings the next key in now: published at once, signing after the cache time. */
  rotate(): Promise<void>;
  stop(): void;
}

export interface KeyRingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly workspace: string;
  readonly make?: KeyMaker;
}

/** Our signing keys in `signing_keys`: published before they sign, kept until the last token of theirs is over. */
export function createKeyRing(options: KeyRingOptions): KeyRing {
  return new StoredKeyRing(options);
}

/** When a new key should begin to sign, or undefined while none is wanted. */
type When = (keys: readonly KeyRow[], now: Date) => Date | undefined;

class StoredKeyRing implements KeyRing {
  readonly #options: KeyRingOptions;
  readonly #parsed = new Map<string, KeyObject>();
  readonly stop: () => void;
  #rows: readonly KeyRow[] | undefined;
  /** Raised with each change, so that what was read before it is not remembered after it. */
  #generation = 0;
  #growing: Promise<void> | undefined;

  constructor(options: KeyRingOptions) {
    this.#options = options;
    this.stop = options.store.onCommit(({ workspace, tables }) => {
      if (workspace === options.workspace && tables.has(signingKeys.name)) this.#forget();
    });
  }

  async signer(): Promise<SigningKey> {
    const key = signing(await this.#live(), this.#options.clock.now());
    if (key === undefined) throw new Error('no signing key after one was made');
    const { id: kid, privatePem } = key;
    return { kid, privateKey: this.#parse(`private ${kid}`, () => createPrivateKey(privatePem)) };
  }

  async publicKey(kid: string): Promise<KeyObject | undefined> {
    const now = this.#options.clock.now();
    const key = (await this.#read()).find((row) => row.id === kid && row.retiresAt > now);
    return key && this.#parse(kid, () => publicKeyOf(key.publicJwk));
  }

  async jwks(): Promise<{ keys: readonly Record<string, unknown>[] }> {
    const keys = await this.#live();
    return { keys: keys.map((key) => ({ ...key.publicJwk, kid: key.id, use: 'sig', alg: 'RS256' })) };
  }

  async rotate(): Promise<void> {
    await this.#growing;
    await this.#grow(soon);
  }

  #forget(): void {
    this.#generation += 1;
    this.#rows = undefined;
    this.#parsed.clear();
  }

  async #read(): Promise<readonly KeyRow[]> {
    if (this.#rows !== undefined) return this.#rows;
    const generation = this.#generation;
    const rows = await this.#options.store.transaction(this.#options.workspace, (tx) => readKeys(tx));
    if (generation === this.#generation) this.#rows = rows;
    return rows;
  }

  async #live(): Promise<readonly KeyRow[]> {
    const { clock } = this.#options;
    if (inTime(await this.#read(), clock.now()) !== undefined) await this.#grow(inTime);
    const now = clock.now();
    return (await this.#read()).filter((key) => key.retiresAt > now);
  }

  /** One at a time here; another process that came first is seen inside the transaction. */
  async #grow(when: When): Promise<void> {
    this.#growing ??= this.#add(when).finally(() => {
      this.#growing = undefined;
    });
    await this.#growing;
  }

  async #add(when: When): Promise<void> {
    const { store, workspace, make = makeRsaKey } = this.#options;
    const made = await make();
    await store.transaction(workspace, async (tx) => {
      const signsFrom = when(await readKeys(tx), tx.now);
      if (signsFrom !== undefined) await addKey(tx, made, signsFrom);
    });
  }

  #parse(id: string, read: () => KeyObject): KeyObject {
    const key = this.#parsed.get(id) ?? read();
    this.#parsed.set(id, key);
    return key;
  }
}

const after = (at: Date, milliseconds: number): Date => new Date(at.getTime() + milliseconds);

function readKeys(tx: Tx): Promise<KeyRow[]> {
  return tx.find(signingKeys, { orderBy: [{ column: 'signsFrom', descending: true }], limit: 100 });
}

/** The newest key that has begun to sign; `keys` come newest first. */
function signing(keys: readonly KeyRow[], now: Date): KeyRow | undefined {
  return keys.find((key) => key.signsFrom <= now && key.retiresAt > now);
}

/** On demand: after the cache time, unless one is coming already. */
const soon: When = (keys, now) => {
  if (signing(keys, now) === undefined) return now;
  return keys.some((key) => key.signsFrom > now) ? undefined : after(now, JWKS_CACHE);
};

/** When the present key nears its end. */
const inTime: When = (keys, now) => {
  const current = signing(keys, now);
  if (current === undefined) return now;
  const publishAt = current.signsFrom.getTime() + ROTATE_EVERY - JWKS_CACHE;
  return publishAt <= now.getTime() ? soon(keys, now) : undefined;
};

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
