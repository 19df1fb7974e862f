import { z } from 'zod';
import { endAccess } from '../../src/core/access.ts';
import { command, type Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { principals, type PrincipalRow } from '../../src/domain/principal.ts';
import { addKey } from '../key/add.ts';
import { identityList, line, newName } from '../shared/fields.ts';
import { checkGrant, checkPrivate } from '../shared/grants.ts';
import { allRoles, permissionsOf, unknown } from '../shared/people.ts';
import { identitiesOf, personView, tie } from './view.ts';

/** Names that mean something else in the journal, in filters and in approvals. */
const RESERVED = new Set(['system', 'me', 'nobody', 'unknown']);

export const personAdd = command({
  name: 'person.add',
  summary: 'Add a person or an agent.',
  args: z.object({
    name: newName('The name people type'),
    kind: z.enum(['person', 'agent']).default('person').describe('An agent is a program; only persons vote'),
    display: line('The name people read', 100).optional(),
    roles: z.array(z.string().min(1).max(64)).max(50).default([]).describe('What they may do, by role'),
    identity: identityList('Where they write from: slack:T1/U2, email:ana@example.test').default([]),
    key: z.boolean().default(false).describe('Make an API key, too, and show it once'),
  }),
  positional: ['name'],
  needs: 'person:admin',
  risk: 'write',
  examples: [
    {
      text: 'person add dora --roles viewer --identity slack:T1/U7 --identity email:dora@example.test',
      json: {
        command: 'person.add',
        args: { name: 'dora', roles: ['viewer'], identity: ['slack:T1/U7', 'email:dora@example.test'] },
      },
    },
    {
      text: 'person add builder --kind agent --roles viewer --key',
      json: { command: 'person.add', args: { name: 'builder', kind: 'agent', roles: ['viewer'], key: true } },
    },
  ],
  async run(ctx, { name, kind, display = name, roles, identity, key }) {
    if (key) checkPrivate(ctx);
    if (RESERVED.has(name))
      throw new Refusal('invalid_argument', `${name} is a word of Signalbox; choose another name.`);
    const held = [...new Set(roles)];
    await checkRoles(ctx, held);
    const row = await enter(ctx, name, kind, display, held);
    await ctx.emit('person.added', name, { kind, display, roles: held });
    for (const address of identity) await tie(ctx, name, address, 'named');
    const made = key
      ? await addKey(ctx, { principal: name, label: 'first key', scopes: ctx.who.scopes })
      : undefined;
    const view = personView(row, await identitiesOf(ctx, name));
    const text = `Added ${kind} ${name}${held.length > 0 ? ` with ${held.join(', ')}` : ' without any role yet'}.`;
    if (made === undefined) return { text, data: view };
    return {
      text: `${text}\nTheir key, shown this once: ${made.secret}`,
      data: { ...view, key: made.secret },
    };
  },
});

/** @throws Refusal for a role that is unknown or holds more than the caller. */
async function checkRoles(ctx: Ctx, names: readonly string[]): Promise<void> {
  const known = await allRoles(ctx.tx);
  for (const name of names) {
    if (!known.has(name)) throw unknown('role', name, [...known.keys()]);
    checkGrant(ctx.who, [permissionsOf([name], known)], `the role ${name}`);
  }
}

/** A new row, or the old one of somebody who was removed and comes back: one name means one person, for good. */
async function enter(
  ctx: Ctx,
  name: string,
  kind: 'person' | 'agent',
  display: string,
  roles: readonly string[],
): Promise<PrincipalRow> {
  const before = await ctx.tx.get(principals, { name });
  if (before === undefined) {
    const id = ctx.tx.id();
    const origin = 'command';
    return ctx.tx.insert(principals, {
      id,
      name,
      kind,
      display,
      roles,
      disabled: false,
      origin,
      createdBy: ctx.who.name,
      createdAt: ctx.now,
    });
  }
  if (!before.disabled) throw new Refusal('conflict', `There already is a ${before.kind} ${name}.`);
  if (before.kind !== kind)
    throw new Refusal('conflict', `${name} was a ${before.kind} before; choose another name for a ${kind}.`);
  // Whoever left the configuration file was disabled without losing these.
  await endAccess(ctx.tx, name, ctx.emit);
  return ctx.tx.update(principals, before, {
    display,
    roles,
    disabled: false,
    origin: 'command',
    createdBy: ctx.who.name,
    // Somebody else, for all we know: what the name voted before is not theirs.
    createdAt: ctx.now,
  });
}
