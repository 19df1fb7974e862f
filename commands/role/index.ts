import { z } from 'zod';
import { command, type Command, type Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { principals, roles, type PrincipalRow } from '../../src/domain/principal.ts';
import { personView } from '../person/view.ts';
import { newName, permissions, principal } from '../shared/fields.ts';
import { checkGrant, checkOrigin } from '../shared/grants.ts';
import {
  allPrincipals,
  allRoles,
  checkAdminLeft,
  permissionsOf,
  principalRow,
  unknown,
  type RoleRow,
} from '../shared/people.ts';

const MOST_ROLES = 50;
const roleArg = z.string().min(1).max(64).describe('The role');

function roleView(row: RoleRow, holders?: readonly string[]): JsonObject {
  const { name: id, version, origin } = row;
  return {
    id,
    version,
    permissions: each(row),
    origin,
    createdAt: row.createdAt.toISOString(),
    ...(holders && { holders }),
  };
}

/** What a role allows, each once: the configuration file may repeat itself. */
const each = ({ permissions: may }: RoleRow): string[] => [...new Set(may)];

/** @throws Refusal `not_found` with the nearest names. */
async function roleRow(ctx: Ctx, name: string): Promise<RoleRow> {
  const known = await allRoles(ctx.tx);
  const row = known.get(name);
  if (row === undefined) throw unknown('role', name, [...known.keys()]);
  return row;
}

async function holdersOf(ctx: Ctx, role: string): Promise<string[]> {
  return (await allPrincipals(ctx.tx))
    .filter((p) => !p.disabled && p.roles.includes(role))
    .map((p) => p.name);
}

const roleAdd = command({
  name: 'role.add',
  summary: 'Define a role: a name for permissions.',
  args: z.object({
    name: newName('What it is called'),
    permissions: permissions('What it allows; `!` denies'),
  }),
  positional: ['name', 'permissions'],
  needs: 'role:admin',
  risk: 'write',
  examples: [
    {
      text: 'role add triage task:* comment:read',
      json: { command: 'role.add', args: { name: 'triage', permissions: ['task:*', 'comment:read'] } },
    },
  ],
  async run(ctx, { name, permissions: may }) {
    if (await ctx.tx.get(roles, { name })) throw new Refusal('conflict', `There already is a role ${name}.`);
    const list = [...new Set(may)];
    checkGrant(ctx.who, [list], `the role ${name}`);
    const id = ctx.tx.id();
    const row = await ctx.tx.insert(roles, {
      id,
      name,
      permissions: list,
      origin: 'command',
      createdAt: ctx.now,
    });
    await ctx.emit('role.added', name, { permissions: list });
    return { text: `Added the role ${name}: ${list.join(', ')}.`, data: roleView(row) };
  },
});

const roleList = command({
  name: 'role.list',
  summary: 'List roles and what they allow.',
  args: z.object({}),
  needs: 'person:read',
  risk: 'read',
  examples: [{ text: 'role list', json: { command: 'role.list', args: {} } }],
  async run(ctx) {
    const rows = [...(await allRoles(ctx.tx)).values()];
    const lines = rows.map((row) => `${row.name}: ${each(row).join(', ')}`);
    return { text: lines.join('\n') || 'No roles.', data: { items: rows.map((row) => roleView(row)) } };
  },
});

const roleShow = command({
  name: 'role.show',
  summary: 'Show a role: what it allows and who holds it.',
  args: z.object({ name: roleArg }),
  positional: ['name'],
  needs: 'person:read',
  risk: 'read',
  examples: [{ text: 'role show viewer', json: { command: 'role.show', args: { name: 'viewer' } } }],
  async run(ctx, { name }) {
    const row = await roleRow(ctx, name);
    const holders = await holdersOf(ctx, name);
    const text = `${name}: ${each(row).join(', ')}\nheld by: ${holders.join(', ') || 'nobody'}`;
    return { text, data: roleView(row, holders) };
  },
});

const roleRemove = command({
  name: 'role.remove',
  summary: 'Remove a role that nobody holds.',
  args: z.object({ name: roleArg }),
  positional: ['name'],
  needs: 'role:admin',
  risk: 'destructive',
  examples: [{ text: 'role remove unused', json: { command: 'role.remove', args: { name: 'unused' } } }],
  async run(ctx, { name }) {
    const row = await roleRow(ctx, name);
    checkOrigin(row, `The role ${name}`);
    const holders = await holdersOf(ctx, name);
    if (holders.length > 0)
      throw new Refusal(
        'conflict',
        `The role ${name} is held by ${holders.slice(0, 5).join(', ')}; revoke it first.`,
      );
    await ctx.tx.remove(roles, { id: row.id });
    await ctx.emit('role.removed', name, { permissions: row.permissions });
    return { text: `Removed the role ${name}.`, data: roleView(row) };
  },
});

const grantArgs = z.object({ role: roleArg, to: principal('Who') });

const roleGrant = command({
  name: 'role.grant',
  summary: 'Give somebody a role.',
  args: grantArgs,
  positional: ['role', 'to'],
  needs: 'role:admin',
  risk: 'write',
  examples: [
    { text: 'role grant viewer @dan', json: { command: 'role.grant', args: { role: 'viewer', to: 'dan' } } },
  ],
  async run(ctx, { role, to }) {
    const { permissions: may } = await roleRow(ctx, role);
    const row = await principalRow(ctx, to);
    checkOrigin(row, row.name);
    if (row.roles.includes(role)) throw new Refusal('conflict', `${row.name} already holds ${role}.`);
    if (row.roles.length >= MOST_ROLES)
      throw new Refusal('conflict', `${row.name} holds ${MOST_ROLES} roles, the most.`);
    checkGrant(ctx.who, [may], `the role ${role}`);
    return change(ctx, row, 'role.granted', role, [...row.roles, role]);
  },
});

const roleRevoke = command({
  name: 'role.revoke',
  summary: 'Take a role from somebody.',
  args: z.object({ role: roleArg, from: principal('Who') }),
  positional: ['role', 'from'],
  needs: 'role:admin',
  risk: 'write',
  examples: [
    {
      text: 'role revoke operator @dan',
      json: { command: 'role.revoke', args: { role: 'operator', from: 'dan' } },
    },
  ],
  async run(ctx, { role, from }) {
    const row = await principalRow(ctx, from);
    checkOrigin(row, row.name);
    if (!row.roles.includes(role)) throw new Refusal('conflict', `${row.name} does not hold ${role}.`);
    const left = row.roles.filter((name) => name !== role);
    const known = await allRoles(ctx.tx);
    // A role may deny; taking it away then gives something.
    if (permissionsOf([role], known).some((p) => p.startsWith('!')))
      checkGrant(ctx.who, [permissionsOf(left, known)], `taking ${role} away`);
    await checkAdminLeft(ctx.tx, (p) => (p.name === row.name ? left : p.roles));
    return change(ctx, row, 'role.revoked', role, left);
  },
});

async function change(ctx: Ctx, row: PrincipalRow, event: string, role: string, held: readonly string[]) {
  const changed = await ctx.tx.update(principals, row, { roles: held });
  await ctx.emit(event, row.name, { role, roles: held });
  return { text: `${row.name} now holds: ${held.join(', ') || 'no role'}.`, data: personView(changed) };
}

export const roleCommands: readonly Command[] = [
  roleAdd,
  roleList,
  roleShow,
  roleRemove,
  roleGrant,
  roleRevoke,
];
