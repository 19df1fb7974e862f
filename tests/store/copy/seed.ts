import type { Store } from '../../../src/core/store.ts';
import { journal } from '../../../src/domain/journal.ts';
import type { ColumnKind, NewRow, Table } from '../../../src/domain/table.ts';
import { TABLES } from '../../../src/domain/tables.ts';

const sample = (kind: ColumnKind, name: string): unknown => {
  switch (kind) {
    case 'text':
      return name === 'state' ? 'queued' : `“${name}” 🚦 '"\\ \t\n,{}`;
    case 'int':
      return Number.MAX_SAFE_INTEGER;
    case 'bool':
      return true;
    case 'time':
      return new Date(1);
    case 'json':
      return { z: ['ü', null, 1.5], a: 'NULL' };
  }
};

/** Writes two rows of every table, one with each column set and one with the least, and some journal. */
export async function seed(store: Store, workspace: string): Promise<void> {
  await store.transaction(workspace, async (tx) => {
    await tx.next('TSK');
    await tx.next('TSK');
    for (const table of TABLES.filter((t) => t !== journal)) {
      await tx.insert(table, row(table, 'b', false));
      await tx.insert(table, row(table, 'a', true));
    }
    for (const n of [1, 2, 3]) await tx.append({ ...entry, details: { n } });
  });
}

const entry = { event: 'x.y', actor: 'ana', target: 'T', correlationId: 'c', cause: null } as const;

function row(table: Table, id: string, least: boolean): NewRow<Table> {
  const columns = Object.entries(table.columns).map(([name, { kind, nullable }]) => {
    const value = sample(kind, name);
    // Keys are unique, and a state means something to the database.
    return [
      name,
      least && nullable ? null : kind === 'text' && name !== 'state' ? `${id}${String(value)}` : value,
    ];
  });
  return { id, ...Object.fromEntries(columns) } as NewRow<Table>;
}
