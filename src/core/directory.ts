import type { Catalog } from '../domain/catalog.ts';
import {
  identities,
  keys,
  letsIn,
  principals,
  roles,
  type Principal,
  type PrincipalRow,
} from '../domain/principal.ts';
import { permissionsOf } from '../domain/step.ts';
import { liveKey } from './bearer-grants.ts';
import type { Inbound, VerifiedIdentity } from './message.ts';
import type { Tx } from './store.ts';

/** Who is behind a proven identity, as the transaction sees it that acts on it, so a revoked role counts at once. */
export interface Directory {
  /**
   * Undefined when the identity is linked to nobody, or to somebody disabled, or its key was revoked; for an outsider also
   * where no administrator made the link.
   */
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
      const writer = author && (await linkedName(tx, author));
      const makers = who.kind === 'agent' ? await makersOf(tx, who.name) : [];
      return [...new Set([who.name, ...makers, ...(writer === undefined ? [] : [writer])])];
    },
    resolve: remembering(async (tx, identity) => {
      const { channel, subject, scopes } = identity;
      if (channel === 'principal') return { who: await byName(tx, subject, scopes) };
      if (channel === 'source') return { who: sourcePrincipal(catalog, subject, permissionOf) };
      const key = channel === 'key' ? await liveKey(tx, subject) : undefined;
      const name = channel === 'key' ? key?.principal : await linkedName(tx, identity);
      const who = name === undefined ? undefined : await byName(tx, name, scopes);
      return { who, until: key?.expiresAt };
    }),
  };
}

/** What a principal is made of. */
const SOURCES = [keys, principals, roles, identities];
/** Only those who are known are remembered, so strangers cannot fill it. */
const REMEMBERED = 10_000;

interface Found {
  readonly who: Principal | undefined;
  /** When the key behind it ends, which no write tells. */
  readonly until?: Date | null | undefined;
}

/** Looks nobody up twice while people, roles and keys of the workspace are as they were. */
function remembering(look: (tx: Tx, identity: VerifiedIdentity) => Promise<Found>): Directory['resolve'] {
  const workspaces = new Map<string, { revision: number; readonly known: Map<string, Found> }>();
  return async (tx, identity) => {
    const of = workspaces.get(tx.workspace) ?? { revision: Number.NaN, known: new Map<string, Found>() };
    workspaces.set(tx.workspace, of);
    const { known } = of;
    const present = tx.revision(SOURCES);
    if (present !== of.revision || known.size >= REMEMBERED) known.clear();
    of.revision = present;
    const { workspace, channel, subject, scopes, outsider } = identity;
    const name = JSON.stringify([workspace, channel, subject, scopes, outsider]);
    const before = known.get(name);
    if (before && (!before.until || before.until > tx.now)) return before.who;
    const found = await look(tx, identity);
    // Where another group wrote while this one waited for the answer, it may be of an older state.
    if (found.who && of.revision === present) known.set(name, found);
    return found.who;
  };
}

/** A webhook source's name as an actor, so that it can never be taken for a person's. */
const SOURCE = 'source:';

/** Who made an agent, and its keys; where that was an agent again, who made that one, up to the people. */
async function makersOf(tx: Tx, agent: string): Promise<string[]> {
  const found = new Set([agent]);
  for (const name of found) {
    const row = await tx.get(principals, { name });
    if (row?.kind !== 'agent') continue;
    const made = await tx.find(keys, { where: { principal: name, revokedAt: null } });
    for (const maker of [row.createdBy, ...made.map((key) => key.createdBy)])
      if (maker !== null) found.add(maker);
  }
  return [...found];
}

type Sender = Pick<VerifiedIdentity, 'channel' | 'subject' | 'outsider'>;

async function linkedName(tx: Tx, { channel, subject, outsider }: Sender): Promise<string | undefined> {
  const row = await tx.get(identities, { channel, subject });
  return row && letsIn(row.origin, outsider) ? row.principal : undefined;
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
      return [permissionOf(command), ...permissionsOf(catalog.runbooks.get(runbook))];
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
