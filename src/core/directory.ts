import type { Catalog } from '../domain/catalog.ts';
import {
  identities,
  keys,
  principals,
  roles,
  type Principal,
  type PrincipalRow,
} from '../domain/principal.ts';
import type { Inbound, VerifiedIdentity } from './message.ts';
import type { Tx } from './store.ts';

/** Who is behind a proven identity, read inside the transaction that acts on it, so a revoked role counts at once. */
export interface Directory {
  /** Undefined when the identity is linked to nobody, or to somebody disabled, or its key was revoked. */
  resolve(tx: Tx, identity: VerifiedIdentity): Promise<Principal | undefined>;
  byName(tx: Tx, name: string, scopes?: readonly string[]): Promise<Principal | undefined>;
  /** Everybody who caused what `who` asks: `who`, the one who made an agent, the linked author of a webhook. */
  chain(tx: Tx, who: Principal, author: Inbound['author']): Promise<string[]>;
}

export function createDirectory(
  catalog: Catalog,
  permissionOf: (command: string) => string | undefined,
): Directory {
  const byName: Directory['byName'] = async (tx, name, scopes = ['*']) => {
    if (name.startsWith(SOURCE)) return sourcePrincipal(catalog, name.slice(SOURCE.length), permissionOf);
    const row = await tx.get(principals, { name });
    return row && !row.disabled ? withPermissions(tx, row, scopes) : undefined;
  };
  return {
    byName,
    async chain(tx, who, author) {
      const owner =
        who.kind === 'agent' ? (await tx.get(principals, { name: who.name }))?.createdBy : undefined;
      const writer = author && (await linkedName(tx, author.channel, author.subject));
      return [...new Set([who.name, owner, writer])].filter((name) => typeof name === 'string');
    },
    async resolve(tx, identity) {
      const { channel, subject, scopes } = identity;
      if (channel === 'principal') return byName(tx, subject, scopes);
      if (channel === 'source') return sourcePrincipal(catalog, subject, permissionOf);
      const name = channel === 'key' ? await keyOwner(tx, subject) : await linkedName(tx, channel, subject);
      return name === undefined ? undefined : byName(tx, name, scopes);
    },
  };
}

/** A webhook source's name as an actor, so that it can never be taken for a person's. */
const SOURCE = 'source:';

async function keyOwner(tx: Tx, id: string): Promise<string | undefined> {
  const key = await tx.get(keys, { id });
  if (!key || key.revokedAt || (key.expiresAt && key.expiresAt <= tx.now)) return undefined;
  return key.principal;
}

async function linkedName(tx: Tx, channel: string, subject: string): Promise<string | undefined> {
  return (await tx.get(identities, { channel, subject }))?.principal;
}

async function withPermissions(tx: Tx, row: PrincipalRow, scopes: readonly string[]): Promise<Principal> {
  const held = row.roles.length > 0 ? await tx.find(roles, { where: { name: { in: row.roles } } }) : [];
  const { name, kind, display } = row;
  const permissions = held.flatMap((role) => role.permissions);
  return { name, kind, display, roles: row.roles, permissions, scopes };
}

/** A runbook that a rule names outright, and not by something that the payload says. */
const LITERAL = /^\s*(['"])([\w.:-]+)\1\s*$/;

/** A source may do what the commands and runbooks need that its own rules name, and nothing else. */
function sourcePrincipal(
  catalog: Catalog,
  name: string,
  permissionOf: (command: string) => string | undefined,
): Principal | undefined {
  const source = catalog.sources.get(name);
  if (!source) return undefined;
  const named = source.rules
    .filter((rule) => rule.as === undefined)
    .flatMap(({ command, args }) => {
      const runbook = LITERAL.exec(args['runbook'] ?? '')?.[2] ?? '';
      return [permissionOf(command), catalog.runbooks.get(runbook)?.permission];
    });
  return {
    name: `${SOURCE}${name}`,
    kind: 'source',
    display: `webhook ${name}`,
    roles: [],
    permissions: named.filter((p) => p !== undefined),
    scopes: ['*'],
  };
}
