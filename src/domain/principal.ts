import { bool, json, maybe, table, text, time, type Row } from './table.ts';

/** Who can act. Only a person votes; an agent is a program with a key; a source is a webhook's sender. */
export type PrincipalKind = 'person' | 'agent' | 'source';

/** Where a row comes from: what the configuration file defines, commands may not change. */
export type Origin = 'config' | 'command';

export const principals = table('principals', {
  /** The name people type: `ana`, `ci`. Unique in the workspace. */
  name: text(),
  kind: text<PrincipalKind>(),
  display: text(),
  roles: json<readonly string[]>(),
  disabled: bool(),
  origin: text<Origin>(),
  /** Who made an agent by command: its requests are theirs, too. */
  createdBy: maybe(text()),
  createdAt: time(),
});

/** `named`: an administrator tied it; `command`: its owner did, with a code. */
export type IdentityOrigin = Origin | 'named';

/** A proven address of a principal: `slack` + `T1/U2`, `email` + `ana@example.test`, `github` + `1234`. */
export const identities = table('identities', {
  principal: text(), // principals.name
  channel: text(),
  subject: text(),
  origin: text<IdentityOrigin>(),
  createdAt: time(),
});

export const roles = table('roles', {
  name: text(),
  permissions: json<readonly string[]>(),
  origin: text<Origin>(),
  createdAt: time(),
});

/** API keys `sb_<id>_<secret>`; only the SHA-256 of the secret is stored. Scopes narrow what the owner may do. */
export const keys = table('keys', {
  principal: text(),
  label: text(),
  hash: text(),
  scopes: json<readonly string[]>(),
  expiresAt: maybe(time()),
  revokedAt: maybe(time()),
  /** Who made it; null for those that the server itself makes. */
  createdBy: maybe(text()),
  createdAt: time(),
});

export type PrincipalRow = Row<typeof principals>;
export type KeyRow = Row<typeof keys>;

/**
 * Somebody whom a channel proves without vouching for them: a guest of the team that is connected, a program, somebody of
 * another team, an account that was closed.
 */
export type Outsider = 'guest' | 'bot' | 'stranger' | 'deactivated';

/** Whether a link of this origin lets them in: an outsider only where an administrator decided on that very address. */
export function letsIn(origin: IdentityOrigin, outsider: Outsider | undefined): boolean {
  if (outsider === undefined) return true;
  return outsider !== 'deactivated' && (origin === 'named' || origin === 'config');
}

/** How strongly the sender is proven on this message. */
export type Assurance = 'local' | 'key' | 'token' | 'slack' | 'dkim' | 'signature';

/** A principal as a command sees it: who, with the permissions that hold on this message. */
export interface Principal {
  readonly name: string;
  readonly kind: PrincipalKind;
  readonly display: string;
  readonly roles: readonly string[];
  /** Patterns such as `task:*`; a leading `!` denies and wins. */
  readonly permissions: readonly string[];
  /** What the key or rule that was used narrows them to; every pattern list must allow. */
  readonly scopes: readonly string[];
}
