import { z } from 'zod';
import { command, type Command, type Ctx } from '../../src/core/command.ts';
import { DAY, HOUR } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { may } from '../../src/domain/permission.ts';
import { keys, type KeyRow } from '../../src/domain/principal.ts';
import { schedules } from '../../src/domain/schedule.ts';
import { duration, line, permissions, principal } from '../shared/fields.ts';
import { checkGrant, checkPrivate, checkScopes } from '../shared/grants.ts';
import { actor } from '../shared/people.ts';
import { addKey, keyView, LONGEST_LIFE } from './add.ts';

const keyArg = z.string().min(1).max(100).describe('The key: its id, or the label of one of your own');

const keyCreate = command({
  name: 'key.create',
  summary: 'Make an API key, shown this once.',
  args: z.object({
    label: line('What it is for', 100),
    for: principal('Whose it is; yours unless told').optional(),
    scopes: permissions('What it may do at most; as much as you may now, unless told').optional(),
    expires: duration('How long it holds, 366d at most; 90d unless told', HOUR, LONGEST_LIFE).optional(),
  }),
  positional: ['label'],
  needs: 'key:create',
  risk: 'write',
  examples: [
    { text: 'key create laptop', json: { command: 'key.create', args: { label: 'laptop' } } },
    {
      text: 'key create nightly --for bot --scopes task:* --scopes job:read --expires 30d',
      json: {
        command: 'key.create',
        args: { label: 'nightly', for: 'bot', scopes: ['task:*', 'job:read'], expires: 30 * DAY },
      },
    },
  ],
  async run(ctx, { label, for: owner = ctx.who.name, scopes = ctx.who.scopes, expires }) {
    checkPrivate(ctx);
    await checkSecretOf(ctx, owner, scopes);
    if (await ctx.tx.get(keys, { principal: owner, label, revokedAt: null }))
      throw new Refusal(
        'conflict',
        `${owner} already has a key "${label}"; rotate it, or choose another label.`,
      );
    const { row, secret } = await addKey(ctx, {
      principal: owner,
      label,
      scopes,
      ...(expires !== undefined && { life: expires }),
    });
    const until = row.expiresAt?.toISOString() ?? 'it is revoked';
    return {
      text: `The key, shown this once: ${secret}\nIt holds until ${until}.`,
      data: { ...keyView(row), key: secret },
    };
  },
});

const keyList = command({
  name: 'key.list',
  summary: 'List API keys that hold, yours or somebody’s.',
  args: z.object({
    for: principal('Whose; yours unless told').optional(),
    all: z.boolean().default(false).describe('Those that are revoked or over, too'),
  }),
  needs: 'key:create',
  risk: 'read',
  examples: [{ text: 'key list --for bot', json: { command: 'key.list', args: { for: 'bot' } } }],
  async run(ctx, { for: owner = ctx.who.name, all }) {
    checkOthers(ctx, owner);
    const where = { principal: owner, ...(!all && { revokedAt: null }) };
    const found = await ctx.tx.find(keys, {
      where,
      orderBy: [{ column: 'id', descending: true }],
      limit: 500,
    });
    const rows = all ? found : found.filter((row) => row.expiresAt === null || row.expiresAt > ctx.now);
    const lines = rows.map(
      (row) => `${row.id} "${row.label}" · ${row.scopes.join(', ')} · ${state(row, ctx.now)}`,
    );
    return { text: lines.join('\n') || `${owner} has no key.`, data: { items: rows.map(keyView) } };
  },
});

const keyRotate = command({
  name: 'key.rotate',
  summary: 'Replace an API key by a new one of the same reach, shown this once.',
  args: z.object({
    id: keyArg,
    overlap: duration(
      'How long the old one still holds, 7d at most; not at all unless told',
      0,
      7 * DAY,
    ).default(0),
  }),
  positional: ['id'],
  needs: 'key:create',
  risk: 'write',
  examples: [
    {
      text: 'key rotate desk --overlap 1h',
      json: { command: 'key.rotate', args: { id: 'desk', overlap: HOUR } },
    },
  ],
  async run(ctx, { id, overlap }) {
    checkPrivate(ctx);
    const old = await findKey(ctx, id);
    await checkSecretOf(ctx, old.principal, old.scopes);
    const ends = new Date(ctx.now.getTime() + overlap);
    const sooner = old.expiresAt !== null && old.expiresAt < ends ? old.expiresAt : ends;
    await ctx.tx.update(
      keys,
      old,
      overlap === 0 ? { revokedAt: ctx.now } : { expiresAt: sooner, label: `${old.label} (old)` },
    );
    const life = old.expiresAt && Math.min(LONGEST_LIFE, old.expiresAt.getTime() - old.createdAt.getTime());
    const { principal: owner, label, scopes } = old;
    const { row, secret } = await addKey(ctx, {
      principal: owner,
      label,
      scopes,
      ...(life !== null && { life }),
    });
    await ctx.emit('key.rotated', old.id, { owner, label, to: row.id, until: sooner.toISOString() });
    const passed = await passOn(ctx, old, row);
    return {
      text: `The new key, shown this once: ${secret}${passed.length > 0 ? `\nSchedules that go on with it: ${passed.join(', ')}.` : ''}`,
      data: { ...keyView(row), key: secret, replaces: old.id },
    };
  },
});

const keyRevoke = command({
  name: 'key.revoke',
  summary: 'End an API key, with the tokens and connections that came from it.',
  args: z.object({ id: keyArg }),
  positional: ['id'],
  needs: 'key:create',
  risk: 'write',
  examples: [{ text: 'key revoke desk', json: { command: 'key.revoke', args: { id: 'desk' } } }],
  async run(ctx, { id }) {
    const row = await findKey(ctx, id);
    const ended = await ctx.tx.update(keys, row, { revokedAt: ctx.now });
    await ctx.emit('key.revoked', row.id, { owner: row.principal, label: row.label });
    return { text: `The key "${row.label}" of ${row.principal} no longer holds.`, data: keyView(ended) };
  },
});

export const keyCommands: readonly Command[] = [keyCreate, keyList, keyRotate, keyRevoke];

/** What was written down with a key to run by itself goes on with the one that takes its place. */
async function passOn(ctx: Ctx, old: KeyRow, { id: key }: KeyRow): Promise<string[]> {
  const written = await ctx.tx.find(schedules, { where: { key: old.id }, orderBy: [{ column: 'id' }] });
  for (const row of written) await ctx.tx.update(schedules, row, { key });
  return written.map((row) => row.ref);
}

/** Whoever gets a secret of somebody else acts as them: that takes `person:admin`, and never yields more than one has. */
async function checkSecretOf(ctx: Ctx, owner: string, scopes: readonly string[]): Promise<void> {
  const { permissions: theirs } = await actor(ctx, owner);
  if (owner !== ctx.who.name && !may(ctx.who, 'person:admin'))
    throw new Refusal('forbidden', 'a key for somebody else takes the permission person:admin');
  checkGrant(ctx.who, [theirs, scopes], 'the key');
  checkScopes(ctx.who, scopes, 'the key');
}

function checkOthers(ctx: Ctx, owner: string): void {
  if (owner === ctx.who.name || may(ctx.who, 'key:admin') || may(ctx.who, 'person:admin')) return;
  throw new Refusal('forbidden', 'keys of somebody else take the permission key:admin');
}

/** A key that is not revoked, by id, or by the label of one's own. @throws Refusal `not_found`, for others' keys too. */
async function findKey(ctx: Ctx, id: string): Promise<KeyRow> {
  const row =
    (await ctx.tx.get(keys, { id })) ??
    (await ctx.tx.get(keys, { principal: ctx.who.name, label: id, revokedAt: null }));
  if (row === undefined || row.revokedAt !== null)
    throw new Refusal('not_found', `There is no key ${id} that holds.`);
  checkOthers(ctx, row.principal);
  return row;
}

function state(row: KeyRow, now: Date): string {
  if (row.revokedAt !== null) return `revoked ${row.revokedAt.toISOString()}`;
  if (row.expiresAt === null) return 'without end';
  return `${row.expiresAt <= now ? 'over since' : 'until'} ${row.expiresAt.toISOString()}`;
}
