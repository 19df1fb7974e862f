import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import type { Section } from '../../src/core/message.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { approvalParts } from './home-approvals.ts';
import { jobsPart, probesPart, tasksPart } from './home-work.ts';
import { itemLines, type Part } from './home-part.ts';

export const home = command({
  name: 'home',
  summary: 'What waits for you: votes, your tasks, running jobs, probes.',
  args: z.object({}),
  needs: 'none',
  risk: 'read',
  route: { method: 'get', path: '/v1/home' },
  examples: [{ text: 'home', json: { command: 'home', args: {} } }],
  async run(ctx) {
    const parts = await partsOf(ctx);
    const sections = parts.map(([, { section }]) => section);
    const data: JsonObject = Object.fromEntries(parts.map(([name, part]) => [name, part.data]));
    const nothing = 'There is nothing that you may look at; ask an administrator for a role.';
    return {
      text: sections.map(inWords).join('\n\n') || nothing,
      data,
      card: {
        title: `Signalbox for ${ctx.who.display}`,
        ...(sections.length === 0 && { body: nothing }),
        sections,
      },
    };
  },
});

/** Only what the caller may read. */
async function partsOf(ctx: Ctx): Promise<(readonly [string, Part])[]> {
  const approvals = await approvalParts(ctx);
  const parts = [
    ['approvals', approvals?.votes],
    ['asked', approvals?.asked],
    ['tasks', await tasksPart(ctx)],
    ['jobs', await jobsPart(ctx)],
    ['probes', await probesPart(ctx)],
  ] as const;
  return parts.flatMap(([name, part]) => (part ? [[name, part] as const] : []));
}

function inWords({ title, items, none, more }: Section): string {
  const lines = items.length === 0 ? [none] : itemLines(items);
  return [title, ...lines.map((line) => `  ${line}`), ...(more === undefined ? [] : [`  ${more}`])].join(
    '\n',
  );
}
