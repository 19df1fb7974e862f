import { z } from 'zod';
import { command, type Command, type Ctx } from '../../src/core/command.ts';
import { helpFor, overview } from '../../src/core/language/help.ts';
import { nearest } from '../../src/core/language/nearest.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { may } from '../../src/domain/permission.ts';

const mayRun = (ctx: Ctx, c: Command): boolean => c.needs === 'none' || may(ctx.who, c.needs);

export const help = command({
  name: 'help',
  summary: 'What you may do here, or everything about one command.',
  args: z.object({
    topic: z
      .array(z.string().max(64))
      .max(8)
      .default([])
      .describe('A noun or a command: `task`, `task create`'),
  }),
  positional: ['topic'],
  needs: 'none',
  risk: 'read',
  examples: [
    { text: 'help', json: { command: 'help', args: {} } },
    { text: 'help task create', json: { command: 'help', args: { topic: ['task', 'create'] } } },
  ],
  async run(ctx, { topic }) {
    const allowed = ctx.commands.all.filter((c) => mayRun(ctx, c));
    const name = topic.join('.').toLowerCase();
    if (name === '')
      return listed(`${overview(allowed)}\n\nMore about one of them: help task create`, allowed);
    const one = ctx.commands.find(name);
    if (one !== undefined)
      return {
        text: [helpFor(one), ...(one.more?.(ctx.catalog, ctx.who) ?? []), ...denied(ctx, one)].join('\n\n'),
        data: { commands: [one.name] },
      };
    // `help preset` is about `job preset …`, too.
    const ofNoun = allowed.filter((c) => `.${c.name}`.includes(`.${name}.`));
    if (ofNoun.length > 0) return listed(overview(ofNoun), ofNoun);
    throw unknownTopic(name, allowed);
  },
});

const listed = (text: string, commands: readonly Command[]) => ({
  text,
  data: { commands: commands.map((c) => c.name) },
});

function denied(ctx: Ctx, one: Command): string[] {
  return mayRun(ctx, one) ? [] : [`You may not run it: it needs the permission ${one.needs}.`];
}

function unknownTopic(name: string, allowed: readonly Command[]): Refusal {
  const nouns = allowed.map((c) => c.name.split('.', 1)[0] ?? c.name);
  const near = nearest(name, new Set([...allowed.map((c) => c.name), ...nouns]));
  const suggestions = near.map((n) => `help ${n.replaceAll('.', ' ')}`);
  return new Refusal(
    'not_found',
    `There is no help on "${name.replaceAll('.', ' ')}"; \`help\` lists what there is.`,
    {
      suggestions,
    },
  );
}
