import type { IncomingMessage } from 'node:http';
import type { Authenticator } from '../../src/core/authenticator.ts';
import type { Admission } from '../../src/core/limits.ts';
import type { VerifiedIdentity } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Principal } from '../../src/domain/principal.ts';

export interface Caller {
  readonly identity: VerifiedIdentity;
  readonly expiresAt: Date | undefined;
}

/** Who sent the request. @throws Refusal `unauthenticated`, also for a bearer of another workspace. */
export async function identify(
  authenticator: Authenticator,
  workspace: string,
  req: IncomingMessage,
): Promise<Caller> {
  const caller = await authenticator.bearer(req.headers.authorization);
  if (caller.identity.workspace !== workspace)
    throw new Refusal('unauthenticated', 'Send Authorization: Bearer with a valid API key or access token.');
  return caller;
}

export interface Entrance {
  readonly authenticator: Authenticator;
  readonly admission: Admission;
  readonly workspace: string;
}

/**
 * Who sent a request that is no command, counted against what a sender may send: commands are counted where they run.
 * @throws Refusal `unauthenticated` or `rate_limited`.
 */
export async function enter(entrance: Entrance, req: IncomingMessage): Promise<Caller> {
  const caller = await identify(entrance.authenticator, entrance.workspace, req);
  await entrance.admission.admit('rest', caller.identity);
  return caller;
}

/** The principal behind an identity as it is now. @throws Refusal `forbidden` when it is linked to nobody. */
export async function present(authenticator: Authenticator, identity: VerifiedIdentity): Promise<Principal> {
  const principal = await authenticator.principal(identity);
  if (principal === undefined) throw new Refusal('forbidden', 'This sender is linked to nobody here.');
  return principal;
}

/** `Idempotency-Key` as a dedupe key; the pipeline scopes it to the sender. @throws Refusal `malformed`. */
export function dedupeKeyOf(req: IncomingMessage): string | undefined {
  const values = req.headersDistinct['idempotency-key'];
  if (values === undefined) return undefined;
  const [key = ''] = values;
  if (values.length > 1 || !/^[\x21-\x7e]{1,255}$/.test(key))
    throw new Refusal('malformed', 'Idempotency-Key takes one value of 1 to 255 visible ASCII characters.');
  return `rest:${key}`;
}

/** Where a `yes` on this channel finds what it refers to: one conversation per bearer. */
export function conversationOf(identity: VerifiedIdentity): string {
  return `rest:${identity.subject}`;
}
