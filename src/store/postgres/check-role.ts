import { Refusal } from '../../domain/errors.ts';
import { named } from './dialect.ts';
import type { Session } from './session.ts';

const ROLE = named(
  `SELECT rolname AS name, rolsuper OR rolbypassrls AS above,
     EXISTS (SELECT FROM pg_class WHERE relname = 'journal' AND relkind = 'r' AND relowner = pg_roles.oid) AS owner
   FROM pg_roles WHERE rolname = current_user`,
);

/** @throws Refusal when the role that the connection acts as may see every workspace. */
export async function checkRole(session: Session): Promise<void> {
  const { rows } = await session.ask(ROLE);
  const [role] = rows as { name: string; above: boolean; owner: boolean }[];
  if (role && !role.above && !role.owner) return;
  throw new Refusal(
    'unavailable',
    `The server acts as the role ${role?.name ?? 'of nobody'}, for which row-level security does not hold: ` +
      'it must be neither superuser nor owner of the tables and must not have BYPASSRLS.',
  );
}
