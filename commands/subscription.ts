import { z } from 'zod';
import { command, type Command, type Ctx } from '../src/core/command.ts';
import { mayRead } from '../src/core/feed.ts';
import type { Address } from '../src/core/message.ts';
import { Refusal } from '../src/domain/errors.ts';
import type { Json, JsonObject } from '../src/domain/json.ts';
import { may } from '../src/domain/permission.ts';
import { identities } from '../src/domain/principal.ts';
import { subscriptions } from '../src/domain/records.ts';
import type { Row } from '../src/domain/table.ts';
import { ref } from './shared/fields.ts';

type SubscriptionRow = Row<typeof subscriptions>;

const MOST = 50;
const PATTERN = /^(?:\*|[a-z][a-z_]*\.(?:\*|[a-z][a-z_]*))$/;
const TO = /^(?:slack:[CDGU][A-Z0-9]{1,30}|email:[^\s@]{1,64}@[^\s@]{1,255})$/;
/** What a channel writes for one of its places: `#ops`, or `<#C1>` where it gives no name. */
const PLACE = /^(?:#\S{1,80}|<#[A-Z0-9]{1,30}>)$/;

function view(row: SubscriptionRow): JsonObject {
  const { ref: id, version, principal, patterns } = row;
  const { channel, to, thread } = row.address as Address;
  return {
    id,
    version,
    principal,
    patterns,
    to: `${channel}:${to}`,
    thread: thread ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}

const subscribe = command({
  name: 'subscribe',
  summary: 'Have events of the journal told here, or elsewhere.',
  args: z.object({
    patterns: z
      .array(z.string().refine((p) => PATTERN.test(p), 'expected an event such as job.failed, job.* or *'))
      .min(1)
      .max(20)
      .describe('Which events: job.failed, job.*, *'),
    to: z
      .string()
      .refine(
        (to) => TO.test(to) || PLACE.test(to),
        'expected slack:C123, #channel or email:ana@example.test',
      )
      .optional()
      .describe('Where to; this conversation unless told. In Slack: #channel, picked from its list'),
  }),
  positional: ['patterns'],
  needs: 'subscription:create',
  risk: 'write',
  route: { method: 'post', path: '/v1/subscriptions', status: 201 },
  examples: [
    {
      text: 'subscribe job.failed approval.* --to slack:C123',
      json: { command: 'subscribe', args: { patterns: ['job.failed', 'approval.*'], to: 'slack:C123' } },
    },
  ],
  async expand({ given, places }, { to }) {
    if (to === undefined || !PLACE.test(to)) return { args: given };
    return { args: { ...given, to: addressOf(to, places) } };
  },
  async run(ctx, { patterns, to }) {
    const wanted = [...new Set(patterns)];
    for (const pattern of wanted) checkReadable(ctx, pattern);
    const address = to === undefined ? here(ctx) : await elsewhere(ctx, to);
    if ((await ctx.tx.count(subscriptions, { principal: ctx.who.name })) >= MOST)
      throw new Refusal('conflict', `You have ${MOST} subscriptions, which is the most; remove some first.`);
    const id = `SUB-${await ctx.tx.next('SUB')}`;
    const target = `${address.channel}:${address.to}`;
    const place = [...ctx.places].find(([, meant]) => meant === target)?.[0];
    const named = place?.startsWith('#') === true ? { place } : {};
    // It begins behind the entry that tells of it.
    const { seq } = await ctx.emit('subscription.created', id, { patterns: wanted, to: target, ...named });
    const row = await ctx.tx.insert(subscriptions, {
      id: ctx.tx.id(),
      ref: id,
      principal: ctx.who.name,
      patterns: wanted,
      scopes: ctx.who.scopes,
      address,
      cursor: seq,
      createdAt: ctx.now,
    });
    const where = named.place === undefined ? target : `${named.place} (${target})`;
    return { text: `${id}: ${wanted.join(', ')} will be told on ${where}.`, data: view(row) };
  },
});

const unsubscribe = command({
  name: 'unsubscribe',
  summary: 'Have events told no longer: one subscription, or all of yours in this conversation.',
  args: z.object({ id: ref('The subscription: SUB-3').optional() }),
  positional: ['id'],
  needs: 'subscription:create',
  risk: 'write',
  route: { method: 'delete', path: '/v1/subscriptions/{id}' },
  examples: [{ text: 'unsubscribe SUB-1', json: { command: 'unsubscribe', args: { id: 'SUB-1' } } }],
  async run(ctx, { id }) {
    const rows = id === undefined ? await ofConversation(ctx) : [await find(ctx, id)];
    for (const row of rows) {
      await ctx.tx.remove(subscriptions, { id: row.id });
      await ctx.emit('subscription.removed', row.ref, { patterns: row.patterns, principal: row.principal });
    }
    const removed = rows.map((row) => row.ref);
    return { text: `Removed ${removed.join(', ')}.`, data: { removed } };
  },
});

const list = command({
  name: 'subscription.list',
  summary: 'List your subscriptions, or everybody’s.',
  args: z.object({ all: z.boolean().default(false).describe('Everybody’s; takes subscription:admin') }),
  needs: 'subscription:read',
  alsoNeeds: ({ all }) => (all ? ['subscription:admin'] : []),
  risk: 'read',
  route: { method: 'get', path: '/v1/subscriptions' },
  examples: [{ text: 'subscription list', json: { command: 'subscription.list', args: {} } }],
  async run(ctx, { all }) {
    const where = all ? {} : { principal: ctx.who.name };
    const rows = await ctx.tx.find(subscriptions, { where, orderBy: [{ column: 'id' }], limit: 500 });
    const items: Json[] = rows.map(view);
    const lines = rows.map((row) => {
      const { channel, to } = row.address as Address;
      return `${row.ref} ${row.patterns.join(', ')} → ${channel}:${to}${all ? ` (${row.principal})` : ''}`;
    });
    return { text: lines.join('\n') || 'No subscriptions.', data: { items } };
  },
});

export const subscriptionCommands: readonly Command[] = [subscribe, unsubscribe, list];

/** Names of channels change and repeat, so one counts only where Slack itself said which channel it means. */
function addressOf(place: string, places: ReadonlyMap<string, string>): string {
  const address = places.get(place);
  if (address !== undefined) return address;
  throw new Refusal(
    'invalid_argument',
    `to: ${place} is only a name here. In Slack, pick the channel from the list that opens when you type #; elsewhere give its id, which stands below its details: --to slack:C123`,
  );
}

/** Delivery checks each event again; this only spares a subscription that would stay silent. */
function checkReadable(ctx: Ctx, pattern: string): void {
  if (pattern === '*' || mayRead(ctx.who, pattern)) return;
  throw new Refusal('forbidden', `you may not read ${pattern}`);
}

/** The conversation's lasting address: a reply's own context ends with the reply. */
function here({ replyTo }: Ctx): Address {
  if (replyTo === undefined || replyTo.channel === 'webhook')
    throw new Refusal(
      'conflict',
      'This conversation has no address that lasts; say where: --to slack:C123 (on the WebSocket: topics).',
    );
  const { channel, to, thread } = replyTo;
  return channel === 'slack' && thread !== undefined ? { channel, to, thread } : { channel, to };
}

/** Mail and direct messages go to oneself alone, so that nobody is flooded in somebody else's name. */
async function elsewhere(ctx: Ctx, to: string): Promise<Address> {
  const colon = to.indexOf(':');
  const channel = to.slice(0, colon) === 'email' ? 'email' : 'slack';
  const address = { channel, to: to.slice(colon + 1) } as const;
  if (channel === 'slack' && !address.to.startsWith('U')) return address;
  const own = await ctx.tx.find(identities, { where: { principal: ctx.who.name, channel }, limit: 100 });
  const wanted = address.to.toLowerCase();
  // A Slack user's subject is TEAM/USER.
  const mine = own.some(
    ({ subject }) => (channel === 'slack' ? subject.split('/')[1] : subject)?.toLowerCase() === wanted,
  );
  if (mine || may(ctx.who, 'subscription:admin')) return address;
  throw new Refusal('forbidden', `${to} is not linked to you; that takes subscription:admin`);
}

async function find(ctx: Ctx, id: string): Promise<SubscriptionRow> {
  const row = await ctx.tx.get(subscriptions, { ref: id });
  const mine = row !== undefined && (row.principal === ctx.who.name || may(ctx.who, 'subscription:admin'));
  if (!mine) throw new Refusal('not_found', `You have no subscription ${id}.`);
  return row;
}

async function ofConversation(ctx: Ctx): Promise<SubscriptionRow[]> {
  const address = here(ctx);
  const own = await ctx.tx.find(subscriptions, { where: { principal: ctx.who.name }, limit: MOST });
  const rows = own.filter(({ address: a }) => {
    const { channel, to, thread } = a as Address;
    return channel === address.channel && to === address.to && thread === address.thread;
  });
  if (rows.length === 0) throw new Refusal('not_found', 'You have no subscription in this conversation.');
  return rows;
}
