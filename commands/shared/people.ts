import type { Ctx } from '../../src/core/command.ts';
import { nearest, oneOf } from '../../src/core/language/nearest.ts';
import type { Tx } from '../../src/core/store.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { permits } from '../../src/domain/permission.ts';
import { principals, roles, type Principal, type PrincipalRow } from '../../src/domain/principal.ts';
import type { Row } from '../../src/domain/table.ts';

export type RoleRow = Row<typeof roles>;

const PAGE = 500;
/** What it takes to put things right again when everybody else is gone. */
const ADMIN = 'person:admin';

/** Everybody, in pages, by name. */
export async function allPrincipals(tx: Tx): Promise<PrincipalRow[]> {
  const all: PrincipalRow[] = [];
  for (let after = ''; ; ) {
    const page = await tx.find(principals, {
      where: { name: { above: after } },
      orderBy: [{ column: 'name' }],
      limit: PAGE,
    });
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return all;
    after = last.name;
  }
}

export async function allRoles(tx: Tx): Promise<Map<string, RoleRow>> {
  const rows = await tx.find(roles, { orderBy: [{ column: 'name' }], limit: 5_000 });
  return new Map(rows.map((row) => [row.name, row]));
}

/** The permissions that a list of roles adds up to. */
export function permissionsOf(names: readonly string[], known: ReadonlyMap<string, RoleRow>): string[] {
  return names.flatMap((name) => known.get(name)?.permissions ?? []);
}

/** A person or agent who may act. @throws Refusal `not_found` with the nearest names. */
export async function actor(ctx: Ctx, name: string): Promise<Principal> {
  const found = await ctx.principal(name);
  if (found && found.kind !== 'source') return found;
  const known = (await allPrincipals(ctx.tx)).filter((p) => !p.disabled).map((p) => p.name);
  throw unknown('person or agent', name, known);
}

/** @throws Refusal `not_found` with the nearest names. */
export async function principalRow(ctx: Ctx, name: string): Promise<PrincipalRow> {
  const row = await ctx.tx.get(principals, { name });
  if (row && !row.disabled) return row;
  throw unknown(
    'person or agent',
    name,
    (await allPrincipals(ctx.tx)).filter((p) => !p.disabled).map((p) => p.name),
  );
}

export function unknown(what: string, name: string, known: readonly string[]): Refusal {
  const near = nearest(name, known);
  const hint = near.length > 0 ? ` Did you mean ${oneOf(near)}?` : '';
  return new Refusal('not_found', `There is no ${what} ${name}.${hint}`);
}

/**
 * Somebody must be left who can administer persons. `changed` gives each one's roles after the change; undefined for
 * whoever is gone. Programs do not count. @throws Refusal `conflict`.
 */
export async function checkAdminLeft(
  tx: Tx,
  changed: (row: PrincipalRow) => readonly string[] | undefined,
): Promise<void> {
  const known = await allRoles(tx);
  const persons = (await allPrincipals(tx)).filter((row) => row.kind === 'person' && !row.disabled);
  const administers = (held: readonly string[] = []) => permits(permissionsOf(held, known), ADMIN);
  if (!persons.some((row) => administers(row.roles)) || persons.some((row) => administers(changed(row))))
    return;
  throw new Refusal('conflict', 'Nobody would be left who can administer people; appoint somebody first.');
}
