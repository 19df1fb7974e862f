import type { Principal } from '../domain/principal.ts';
import type { VerifiedIdentity } from './message.ts';

export interface TokenPair {
  readonly accessToken: string;
  /** Seconds. */
  readonly expiresIn: number;
  readonly refreshToken: string;
}

/** Proves bearers: API keys and our own access tokens. What REST, WebSocket and terminal ask. */
export interface Authenticator {
  /**
   * Proves an `Authorization` header value (`Bearer sb_…` or `Bearer <access token>`); `expiresAt` is when a
   * connection that it opened has to close.
   * @throws Refusal `unauthenticated` without saying which part was wrong.
   */
  bearer(
    authorization: string | undefined,
  ): Promise<{ identity: VerifiedIdentity; expiresAt: Date | undefined }>;
  /** The principal behind a proven identity, with its present permissions; undefined when linked to nobody. */
  principal(identity: VerifiedIdentity): Promise<Principal | undefined>;
  /** A one-time ticket, good for 30 s, for a browser's WebSocket upgrade, from a bearer that is over at `expiresAt`. */
  issueTicket(identity: VerifiedIdentity, expiresAt: Date | undefined): Promise<string>;
  /** The bearer that it was given for. @throws Refusal `unauthenticated` when unknown, used or over. */
  redeemTicket(ticket: string): Promise<{ identity: VerifiedIdentity; expiresAt: Date | undefined }>;
  /** Short access token (RS256) and single-use refresh token for the bearer of an API key. */
  issueTokens(identity: VerifiedIdentity): Promise<TokenPair>;
  /**
   * `admit` is asked about its holder before the token is used up, and refuses by a throw.
   * @throws Refusal `unauthenticated`; using a refresh token twice ends its whole family.
   */
  refresh(refreshToken: string, admit?: (holder: VerifiedIdentity) => Promise<void>): Promise<TokenPair>;
  /** RFC 7517 key set of `/.well-known/jwks.json`. */
  jwks(): Promise<{ keys: readonly Record<string, unknown>[] }>;
}
