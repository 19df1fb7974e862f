import type { Catalog } from '../domain/catalog.ts';
import { digest } from '../domain/json.ts';
import { identities, principals, roles, type PrincipalRow } from '../domain/principal.ts';
import type { Row, Table } from '../domain/table.ts';
import { endAccess } from './access.ts';
import type { Tx } from './store.ts';

/** A row that the configuration file wants: its natural key and what it says. */
interface Wanted {
  readonly key: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Brings roles, people and identities of the configuration file into the tables, so that one place answers who may do
 * what. Rows of origin `config` that the file no longer names are removed (people: disabled, the journal still names
 * them); rows made by commands stay, unless the file now claims their name. Returns whether anything changed.
 */
export async function syncCatalog(tx: Tx, catalog: Catalog): Promise<boolean> {
  const changes = [
    await syncRows(tx, roles, (row) => row.name, wantedRoles(catalog)),
    await syncRows(
      tx,
      principals,
      (row) => row.name,
      wantedPeople(catalog),
      (row) => retirePerson(tx, row),
    ),
    await syncRows(tx, identities, (row) => `${row.channel}:${row.subject}`, wantedIdentities(catalog)),
  ];
  if (!changes.includes(true)) return false;
  await tx.append({
    event: 'config.applied',
    actor: 'system',
    target: tx.workspace,
    correlationId: tx.id(),
    cause: null,
    details: {
      digest: digest({ roles: catalog.roles, principals: catalog.principals }),
      roles: catalog.roles.map((r) => r.name),
      principals: catalog.principals.map((p) => p.name),
    },
  });
  return true;
}

/** Somebody whom the file no longer names keeps the name in the journal, and nothing that lets them in. */
async function retirePerson(tx: Tx, row: PrincipalRow): Promise<void> {
  await tx.update(principals, row, { disabled: true });
  await endAccess(tx, row.name, (event, target, details) =>
    tx.append({ event, actor: 'system', target, correlationId: tx.id(), cause: null, details }),
  );
}

const wantedRoles = ({ roles: list }: Catalog): Wanted[] =>
  list.map(({ name, permissions }) => ({ key: name, fields: { name, permissions } }));

const wantedPeople = ({ principals: list }: Catalog): Wanted[] =>
  list.map(({ name, kind, display, roles: held }) => ({
    key: name,
    fields: { name, kind, display, roles: held, disabled: false, createdBy: null },
  }));

const wantedIdentities = ({ principals: list }: Catalog): Wanted[] =>
  list.flatMap((p) =>
    p.identities.map(({ channel, subject }) => ({
      key: `${channel}:${subject}`,
      fields: { principal: p.name, channel, subject },
    })),
  );

type Synced = typeof roles | typeof principals | typeof identities;

/** More rows than a configuration file of a megabyte can name. */
const ALL = 100_000;

async function syncRows<T extends Synced>(
  tx: Tx,
  table: T & Table,
  keyOf: (row: Row<T>) => string,
  wanted: readonly Wanted[],
  retire?: (row: Row<T>) => Promise<void>,
): Promise<boolean> {
  const present = new Map(
    (await tx.find(table, { limit: ALL })).map((row) => [keyOf(row as Row<T>), row as Row<T>]),
  );
  let changed = false;
  for (const { key, fields } of wanted) {
    const row = present.get(key);
    present.delete(key);
    const full = { ...fields, origin: 'config' };
    if (!row) await tx.insert(table, { id: tx.id(), createdAt: tx.now, ...full } as never);
    else if (differs(row, full)) {
      // A name that comes back may be another person's by now: what it voted before is not theirs.
      const again = 'disabled' in row && row.disabled ? { createdAt: tx.now } : {};
      await tx.update(table, row, { ...full, ...again } as never);
    } else continue;
    changed = true;
  }
  for (const row of present.values()) {
    if (row.origin !== 'config' || ('disabled' in row && row.disabled)) continue;
    if (retire) await retire(row);
    else await tx.remove(table, { id: row.id } as never);
    changed = true;
  }
  return changed;
}

function differs(row: object, fields: Readonly<Record<string, unknown>>): boolean {
  const present = row as Record<string, unknown>;
  return Object.entries(fields).some(
    ([name, value]) => JSON.stringify(present[name]) !== JSON.stringify(value),
  );
}
