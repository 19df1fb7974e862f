import { z } from 'zod';
import { endAccess } from '../../src/core/access.ts';
import { command, type Command } from '../../src/core/command.ts';
import { principals } from '../../src/domain/principal.ts';
import { identityList, limit, principal } from '../shared/fields.ts';
import { checkGrant, checkOrigin } from '../shared/grants.ts';
import { checkAdminLeft, principalRow } from '../shared/people.ts';
import { personAdd } from './add.ts';
import { identitiesOf, personView, tie } from './view.ts';

const personList = command({
  name: 'person.list',
  summary: 'List people and agents.',
  args: z.object({
    kind: z.enum(['person', 'agent']).optional().describe('Only persons, or only agents'),
    limit: limit(500, 100),
    after: z.string().max(64).optional().describe('Where the page before ended: its last name'),
  }),
  needs: 'person:read',
  risk: 'read',
  examples: [
    { text: 'person list', json: { command: 'person.list', args: {} } },
    { text: 'person list --kind agent', json: { command: 'person.list', args: { kind: 'agent' } } },
  ],
  async run(ctx, { kind, limit: most, after = '' }) {
    const where = { name: { above: after }, disabled: false, ...(kind && { kind }) };
    const found = await ctx.tx.find(principals, { where, orderBy: [{ column: 'name' }], limit: most + 1 });
    const rows = found.slice(0, most);
    const next = found.length > most ? (rows.at(-1)?.name ?? null) : null;
    const lines = rows.map((row) => `${row.name} (${row.kind}) · ${row.roles.join(', ') || 'no role'}`);
    const more = next === null ? [] : [`More: person list --after ${next}`];
    return {
      text: [...lines, ...more].join('\n') || 'Nobody.',
      data: { items: rows.map((row) => personView(row)), next },
    };
  },
});

const personShow = command({
  name: 'person.show',
  summary: 'Show a person or an agent: roles, permissions, addresses.',
  args: z.object({ name: principal('Who') }),
  positional: ['name'],
  needs: 'person:read',
  risk: 'read',
  examples: [{ text: 'person show @ana', json: { command: 'person.show', args: { name: 'ana' } } }],
  async run(ctx, { name }) {
    const row = await principalRow(ctx, name);
    const linked = await identitiesOf(ctx, row.name);
    const permissions = [...new Set((await ctx.principal(row.name))?.permissions)];
    const text = [
      `${row.name} (${row.kind}) · ${row.display}`,
      `roles: ${row.roles.join(', ') || 'none'}`,
      `may: ${permissions.join(', ') || 'nothing'}`,
      `writes from: ${linked.join(', ') || 'no linked address'}`,
      ...(row.origin === 'config' ? ['defined in the configuration file'] : []),
    ].join('\n');
    return { text, data: { ...personView(row, linked), permissions } };
  },
});

const personLink = command({
  name: 'person.link',
  summary: 'Tie an address to somebody, so that what comes from there is theirs.',
  args: z.object({
    name: principal('Who'),
    identity: identityList('Where they write from: slack:T1/U2, email:ana@example.test').min(1),
  }),
  positional: ['name', 'identity'],
  needs: 'person:admin',
  risk: 'write',
  examples: [
    {
      text: 'person link dan email:dan@example.test',
      json: { command: 'person.link', args: { name: 'dan', identity: ['email:dan@example.test'] } },
    },
  ],
  async run(ctx, { name, identity }) {
    const row = await principalRow(ctx, name);
    const { permissions } = (await ctx.principal(row.name)) ?? { permissions: [] };
    checkGrant(ctx.who, [permissions], `acting as ${row.name}`);
    for (const address of identity) await tie(ctx, row.name, address, 'named');
    const linked = await identitiesOf(ctx, row.name);
    return { text: `${row.name} now writes from ${linked.join(', ')}.`, data: personView(row, linked) };
  },
});

const personRemove = command({
  name: 'person.remove',
  summary: 'Remove a person or an agent with their keys, addresses and subscriptions.',
  args: z.object({ name: principal('Who') }),
  positional: ['name'],
  needs: 'person:admin',
  risk: 'destructive',
  examples: [{ text: 'person remove dan', json: { command: 'person.remove', args: { name: 'dan' } } }],
  async run(ctx, { name }) {
    const row = await principalRow(ctx, name);
    checkOrigin(row, row.name);
    await checkAdminLeft(ctx.tx, (p) => (p.name === row.name ? undefined : p.roles));
    // The row stays, so that the journal's name keeps meaning this one.
    const gone = await ctx.tx.update(principals, row, { disabled: true, roles: [] });
    await endAccess(ctx.tx, row.name, ctx.emit);
    await ctx.emit('person.removed', row.name, { kind: row.kind, roles: row.roles });
    return { text: `Removed ${row.name}; their keys and addresses no longer hold.`, data: personView(gone) };
  },
});

export const personCommands: readonly Command[] = [
  personAdd,
  personList,
  personShow,
  personLink,
  personRemove,
];
