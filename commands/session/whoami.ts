import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import type { Reply } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { may, permits, type Permission } from '../../src/domain/permission.ts';
import { identitiesOf } from '../person/view.ts';
import { allRoles } from '../shared/people.ts';

export const whoami = command({
  name: 'whoami',
  summary: 'Who you are here and what you may do, and why.',
  args: z.object({
    why: z.string().max(64).optional().describe('A command: why you may run it, or may not'),
  }),
  needs: 'none',
  risk: 'read',
  examples: [
    { text: 'whoami', json: { command: 'whoami', args: {} } },
    { text: 'whoami --why task.move', json: { command: 'whoami', args: { why: 'task.move' } } },
  ],
  async run(ctx, { why }) {
    return why === undefined ? describe(ctx) : explain(ctx, why);
  },
});

async function describe(ctx: Ctx): Promise<Reply> {
  const { name, kind, display, roles, scopes } = ctx.who;
  const permissions = [...new Set(ctx.who.permissions)];
  const identities = await identitiesOf(ctx, name);
  const text = [
    `You are ${name} (${kind}), ${display}, on ${ctx.channel}.`,
    `roles: ${roles.join(', ') || 'none'}`,
    `may: ${permissions.join(', ') || 'nothing'}`,
    ...(scopes.includes('*') ? [] : [`this key or rule narrows that to: ${scopes.join(', ')}`]),
    `linked: ${identities.join(', ') || 'no other address'}`,
  ].join('\n');
  const { channel, conversation, assurance } = ctx;
  return {
    text,
    data: { name, kind, display, roles, permissions, scopes, identities, channel, conversation, assurance },
  };
}

/** Names the role and the pattern that decide, so that nobody has to guess what to ask for. */
async function explain(ctx: Ctx, why: string): Promise<Reply> {
  const one = ctx.commands.find(why.trim().replaceAll(/\s+/g, '.'));
  if (one === undefined) throw new Refusal('not_found', `There is no command ${why}.`);
  const { needs } = one;
  const name = one.name.replaceAll('.', ' ');
  if (needs === 'none')
    return { text: `Everybody who is known may run ${name}.`, data: { allowed: true, needs } };
  const reasons = [...(await byRole(ctx, needs)), ...byScope(ctx, needs)];
  const allowed = may(ctx.who, needs);
  const text = [`You may ${allowed ? '' : 'not '}run ${name}: it needs ${needs}.`, ...reasons].join('\n');
  return { text, data: { allowed, needs, reasons } };
}

async function byRole(ctx: Ctx, needs: Permission): Promise<string[]> {
  const known = await allRoles(ctx.tx);
  const reasons = ctx.who.roles.flatMap((role) =>
    (known.get(role)?.permissions ?? []).flatMap((pattern) => {
      if (pattern.startsWith('!'))
        return permits([pattern.slice(1)], needs) ? [`role ${role} denies it with ${pattern}`] : [];
      return permits([pattern], needs) ? [`role ${role} allows it with ${pattern}`] : [];
    }),
  );
  return reasons.length > 0
    ? reasons
    : [`none of your roles (${ctx.who.roles.join(', ') || 'none'}) allows it`];
}

function byScope({ who }: Ctx, needs: Permission): string[] {
  return permits(who.scopes, needs)
    ? []
    : [`this key or rule is narrowed to ${who.scopes.join(', ') || 'nothing'}`];
}
