import { z } from 'zod';
import { command } from '../src/core/command.ts';
import { published } from '../src/domain/journal.ts';
import { line } from './shared/fields.ts';

const eventAdd = command({
  name: 'event.add',
  summary: 'Write an outside fact into the journal, for subscribers to hear of.',
  args: z.object({
    event: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,63}$/, 'expected lower-case letters, digits and "_", such as deploy_finished')
      .describe('What happened; it is journalled as event.NAME'),
    target: line('What it happened to', 200),
    details: z
      .record(z.string(), z.json())
      .default({})
      .meta({ kind: 'json' })
      .describe('More about it, as JSON'),
  }),
  positional: ['event', 'target'],
  needs: 'event:create',
  risk: 'write',
  route: { method: 'post', path: '/v1/events', status: 201 },
  examples: [
    {
      text: 'event add deploy_finished web --details.version=1.4',
      json: {
        command: 'event.add',
        args: { event: 'deploy_finished', target: 'web', details: { version: 1.4 } },
      },
    },
  ],
  async run(ctx, { event, target, details }) {
    // The prefix keeps an outside fact from being taken for one of our own.
    const entry = await ctx.emit(`event.${event}`, target, details);
    return { text: `Noted as entry ${entry.seq}: event.${event} ${target}.`, data: published(entry) };
  },
});

export const eventCommands = [eventAdd] as const;
