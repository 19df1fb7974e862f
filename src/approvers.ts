import { allPrincipals } from '../commands/shared/people.ts';
import { approverNotes } from './config/index.ts';
import type { Store } from './core/store.ts';
import type { Catalog } from './domain/catalog.ts';

/** Runbooks that nobody could approve as things stand, people who were added by command counted. */
export async function lackingApprovers(store: Store, catalog: Catalog): Promise<string[]> {
  const people = await store.transaction(catalog.workspace, (tx) => allPrincipals(tx));
  return approverNotes(
    catalog,
    people.filter((row) => !row.disabled),
    'there is',
  );
}
