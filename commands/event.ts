import { z } from 'zod';
import { command, type Ctx } from '../src/core/command.ts';
import { keep, replay, type ReceiptKey } from '../src/core/receipts.ts';
import { digest, sha256, type JsonObject } from '../src/domain/json.ts';
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
    key: z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/, 'expected 1 to 255 visible ASCII characters')
      .optional()
      .describe('Telling again with the same key changes nothing; kept for 30 days'),
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
  async repeated(ctx, { key, ...fact }) {
    const before = key === undefined ? undefined : await replay(ctx.tx, factKey(ctx, key, fact));
    return before?.reply;
  },
  async run(ctx, { key, ...fact }) {
    // The prefix keeps an outside fact from being taken for one of our own.
    const entry = await ctx.emit(`event.${fact.event}`, fact.target, fact.details as JsonObject);
    const text = `Noted as entry ${entry.seq}: ${entry.event} ${entry.target}.`;
    const reply = { text, data: published(entry) };
    if (key !== undefined) {
      const answer = { id: entry.id, status: 'ok', reply, correlationId: ctx.correlationId } as const;
      await keep(ctx.tx, factKey(ctx, key, fact), answer);
    }
    return reply;
  },
});

/** Of whoever tells it, whatever channel it comes by: its repeats are known by it like those of a message. */
const factKey = ({ who }: Ctx, key: string, fact: unknown): ReceiptKey => ({
  id: sha256(['event', who.name, key].join('\n')),
  digest: digest(fact),
});

export const eventCommands = [eventAdd] as const;
