import type { Clock } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { sha256 } from '../domain/json.ts';
import { identities, keys, principals, roles, type KeyRow, type Principal } from '../domain/principal.ts';
import type { Authenticator, TokenPair } from './authenticator.ts';
import { addRefresh, addTicket, liveKey, takeTicket, unusedRefresh, useRefresh } from './bearer-grants.ts';
import { verified, type VerifiedIdentity } from './message.ts';
import { hashSecret, keyParts, newSecret, secretMatches, systemRandom, type Random } from './secrets.ts';
import type { Commit, Store, Tx } from './store.ts';
import { createKeyRing, type KeyMaker, type KeyRing } from './tokens-keys.ts';
import { looksSigned, signToken, TOKEN_LIFE, verifyToken, type Binding } from './tokens.ts';

export interface AuthenticatorOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly workspace: string;
  /** The public address: `iss` of our tokens. */
  readonly issuer: string;
  readonly random?: Random;
  /** How signing keys are made; RSA of 2048 bits unless told. */
  readonly makeKey?: KeyMaker;
  /** Called for each bearer that proved nothing, to be counted. */
  readonly onRefused?: () => void;
  /** The directory's answer, with the permissions of this moment. */
  readonly resolvePrincipal: (tx: Tx, identity: VerifiedIdentity) => Promise<Principal | undefined>;
}

export interface BearerAuthenticator extends Authenticator {
  readonly keyRing: KeyRing;
  /** Stops listening to the store. */
  close(): void;
}

interface Proof {
  readonly identity: VerifiedIdentity;
  readonly expiresAt: Date | undefined;
}

/** What a proof or a principal hangs on; a write to any of them forgets all that was remembered. */
const SOURCES = [keys, principals, roles, identities].map((t) => t.name);
/** Only what holds is remembered, so strangers cannot fill it. */
const REMEMBERED = 10_000;
/** Longer than any bearer of ours; what is longer is not hashed. */
const LONGEST = 4_096;
/** Compared with when there is no such key, so that it takes as long. */
const NO_HASH = hashSecret('');

/** Proves API keys and our access tokens; a bearer that was seen before costs no query until keys or people change. */
export function createAuthenticator(options: AuthenticatorOptions): BearerAuthenticator {
  return new Bearers(options);
}

class Bearers implements BearerAuthenticator {
  readonly keyRing: KeyRing;
  readonly #options: AuthenticatorOptions;
  readonly #random: Random;
  readonly #binding: Binding;
  readonly #proofs = new Map<string, Proof>();
  /** `until`: when the key behind it ends by time alone, which no commit tells. */
  readonly #principals = new Map<string, { readonly who: Principal; readonly until: Date | null }>();
  readonly #stop: () => void;
  /** Raised with each change, so that what was read before it is not remembered after it. */
  #generation = 0;

  constructor(options: AuthenticatorOptions) {
    const { store, clock, workspace, makeKey } = options;
    this.#options = options;
    this.#random = options.random ?? systemRandom;
    this.#binding = { issuer: options.issuer, audience: `signalbox:${workspace}` };
    this.keyRing = createKeyRing({ store, clock, workspace, ...(makeKey && { make: makeKey }) });
    this.#stop = store.onCommit((commit) => this.#forget(commit));
  }

  close(): void {
    this.#stop();
    this.keyRing.stop();
  }

  async bearer(authorization: string | undefined): Promise<Proof> {
    try {
      const bearer = readBearer(authorization);
      const digest = sha256(bearer);
      const proof = this.#proofs.get(digest) ?? (await this.#prove(bearer, digest));
      if (proof.expiresAt !== undefined && proof.expiresAt <= this.#options.clock.now()) throw refused();
      return proof;
    } catch (error) {
      if (error instanceof Refusal && error.code === 'unauthenticated') this.#options.onRefused?.();
      throw error;
    }
  }

  async principal(identity: VerifiedIdentity): Promise<Principal | undefined> {
    const name = JSON.stringify([identity.workspace, identity.channel, identity.subject, identity.scopes]);
    const known = this.#principals.get(name);
    if (known !== undefined && (known.until === null || known.until > this.#options.clock.now()))
      return known.who;
    for (;;) {
      const generation = this.#generation;
      const { who, until } = await this.#run(async (tx) => {
        const key = identity.channel === 'key' ? await liveKey(tx, identity.subject) : undefined;
        return { who: await this.#options.resolvePrincipal(tx, identity), until: key?.expiresAt ?? null };
      });
      // What was changed while it was read, in the same commit perhaps, makes the answer an old one.
      if (generation !== this.#generation) continue;
      if (who !== undefined) this.#remember(this.#principals, name, { who, until }, generation);
      return who;
    }
  }

  async issueTicket(identity: VerifiedIdentity, expiresAt: Date | undefined): Promise<string> {
    const ticket = newSecret(this.#random);
    const { workspace, channel, subject, assurance, scopes } = identity;
    const proof = { workspace, channel, subject, assurance, scopes };
    await this.#run((tx) => addTicket(tx, ticket, { ...proof, until: expiresAt?.toISOString() ?? null }));
    return ticket;
  }

  async redeemTicket(ticket: string): Promise<Proof> {
    const held = await this.#run(async (tx) => {
      const bearer = await takeTicket(tx, ticket);
      const { channel, subject } = bearer ?? {};
      if (channel !== 'key' || typeof subject !== 'string') return bearer;
      return (await liveKey(tx, subject)) && bearer;
    });
    if (held === undefined) throw refused();
    const { until, ...identity } = held;
    const expiresAt = typeof until === 'string' ? new Date(until) : undefined;
    if (expiresAt !== undefined && expiresAt <= this.#options.clock.now()) throw refused();
    return { identity: verified(identity as unknown as VerifiedIdentity), expiresAt };
  }

  async issueTokens(identity: VerifiedIdentity): Promise<TokenPair> {
    if (identity.channel !== 'key' || identity.assurance !== 'key')
      throw new Refusal(
        'forbidden',
        'Tokens are given for an API key; to prolong one, send its refresh token.',
      );
    const refreshToken = newSecret(this.#random);
    const key = await this.#run(async (tx) => {
      const live = await liveKey(tx, identity.subject);
      if (live !== undefined) await addRefresh(tx, live, refreshToken);
      return live;
    });
    return this.#pair(key, refreshToken);
  }

  async refresh(
    refreshToken: string,
    admit?: (holder: VerifiedIdentity) => Promise<void>,
  ): Promise<TokenPair> {
    const held = admit && (await this.#run((tx) => unusedRefresh(tx, refreshToken)));
    if (held) await admit(this.#identity(held.key, 'token', held.scopes));
    const next = newSecret(this.#random);
    const key = await this.#run(async (tx) => {
      const used = await useRefresh(tx, refreshToken);
      if (used !== undefined) await addRefresh(tx, used.key, next, used.family);
      return used?.key;
    });
    return this.#pair(key, next);
  }

  jwks(): Promise<{ keys: readonly Record<string, unknown>[] }> {
    return this.keyRing.jwks();
  }

  async #pair(key: KeyRow | undefined, refreshToken: string): Promise<TokenPair> {
    if (key === undefined) throw refused();
    const tokenId = this.#random(16).toString('base64url');
    const claims = { subject: key.principal, keyId: key.id, scopes: key.scopes, tokenId };
    const accessToken = signToken(
      claims,
      await this.keyRing.signer(),
      this.#binding,
      this.#options.clock.now(),
    );
    return { accessToken, expiresIn: TOKEN_LIFE / 1_000, refreshToken };
  }

  async #prove(bearer: string, digest: string): Promise<Proof> {
    const generation = this.#generation;
    const proof = looksSigned(bearer) ? await this.#proveToken(bearer) : await this.#proveKey(bearer);
    this.#remember(this.#proofs, digest, proof, generation);
    return proof;
  }

  async #proveKey(bearer: string): Promise<Proof> {
    const { id, secret } = keyParts(bearer);
    const key = await this.#run((tx) => liveKey(tx, id));
    if (!secretMatches(secret, key?.hash ?? NO_HASH) || key === undefined) throw refused();
    return { identity: this.#identity(key.id, 'key', key.scopes), expiresAt: key.expiresAt ?? undefined };
  }

  async #proveToken(token: string): Promise<Proof> {
    const { clock } = this.#options;
    const claims = await verifyToken(token, (kid) => this.keyRing.publicKey(kid), this.#binding, clock.now());
    const key = await this.#run((tx) => liveKey(tx, claims.keyId));
    if (key === undefined || key.principal !== claims.subject) throw refused();
    const { expiresAt } = claims;
    const first = key.expiresAt && key.expiresAt < expiresAt ? key.expiresAt : expiresAt;
    return { identity: this.#identity(key.id, 'token', claims.scopes), expiresAt: first };
  }

  #identity(subject: string, assurance: 'key' | 'token', scopes: readonly string[]): VerifiedIdentity {
    return verified({ workspace: this.#options.workspace, channel: 'key', subject, assurance, scopes });
  }

  #run<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#options.store.transaction(this.#options.workspace, work);
  }

  #remember<T>(cache: Map<string, T>, name: string, value: T, generation: number): void {
    if (generation !== this.#generation) return;
    if (cache.size >= REMEMBERED) cache.clear();
    cache.set(name, value);
  }

  #forget({ workspace, tables }: Commit): void {
    if (workspace !== this.#options.workspace || !SOURCES.some((name) => tables.has(name))) return;
    this.#generation += 1;
    this.#proofs.clear();
    this.#principals.clear();
  }
}

function readBearer(authorization: string | undefined): string {
  const [, bearer] = /^bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (bearer === undefined || bearer.length > LONGEST)
    throw new Refusal('unauthenticated', 'Send your key or token: `Authorization: Bearer sb_…`.');
  return bearer;
}

/** The same whatever was wrong. */
function refused(): Refusal {
  return new Refusal('unauthenticated', 'This key or token does not hold; ask for a new one.');
}
