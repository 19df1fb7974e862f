import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { cronTimes } from '../../src/core/cron.ts';
import type { Address, Body, Invocation } from '../../src/core/message.ts';
import { mayRunUnattended } from '../../src/core/unattended.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { refuseSecrets } from '../../src/domain/redact.ts';
import { schedules } from '../../src/domain/schedule.ts';
import { date, newName } from '../shared/fields.ts';
import { local, MOST, scheduleReply, typed } from './view.ts';

const ID = /^[a-z]{3}-\d+$/;

export const scheduleAdd = command({
  name: 'schedule.add',
  summary: 'Have a command run by itself, as you: by a cron expression, or once.',
  args: z.object({
    name: newName('Its name'),
    run: z
      .union([
        z.string().min(1).max(4_000),
        z.strictObject({ command: z.string().max(100), args: z.record(z.string(), z.json()).default({}) }),
      ])
      .meta({ kind: 'command' })
      .describe('The command, as it is typed: "job run backup"'),
    cron: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Minute, hour, day, month, weekday; with the seconds first where there are six'),
    zone: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('In which the cron expression is read; UTC unless told'),
    at: date('Once, at this time; UTC unless it says otherwise').optional(),
    missed: z
      .enum(['skip', 'one', 'all'])
      .optional()
      .describe(
        'Times that passed while nothing ran: none, one run now, or each; skip unless told, one for --at',
      ),
  }),
  positional: ['name', 'run'],
  needs: 'schedule:create',
  risk: 'write',
  route: { method: 'post', path: '/v1/schedules', status: 201 },
  examples: [
    {
      text: 'schedule add nightly "job run restart" --cron "0 3 * * *" --zone Europe/Berlin',
      json: {
        command: 'schedule.add',
        args: { name: 'nightly', run: 'job run restart', cron: '0 3 * * *', zone: 'Europe/Berlin' },
      },
    },
    {
      text: 'schedule add freeze "task create \\"Freeze the release\\" --due friday" --at 2030-11-27T09:00:00.000Z',
      json: {
        command: 'schedule.add',
        args: {
          name: 'freeze',
          run: 'task create "Freeze the release" --due friday',
          at: '2030-11-27T09:00:00.000Z',
        },
      },
    },
  ],
  async run(ctx, { name, run, cron, zone, at, missed }) {
    // Read as an id, it would name another schedule, or none.
    if (ID.test(name))
      throw new Refusal('invalid_argument', `name: expected one that is not like an id, got ${name}.`);
    const times = firstTime(ctx, { cron, zone, at });
    const invocation = await checked(ctx, typeof run === 'string' ? { text: run } : run);
    if (await ctx.tx.get(schedules, { name }))
      throw new Refusal(
        'conflict',
        `There is a schedule ${name} already: \`schedule remove ${name}\` first.`,
      );
    if ((await ctx.tx.count(schedules)) >= MOST)
      throw new Refusal('conflict', `There are ${MOST} schedules, which is the most; remove some first.`);
    const ref = `SCH-${await ctx.tx.next('SCH')}`;
    const row = await ctx.tx.insert(schedules, {
      id: ctx.tx.id(),
      ref,
      name,
      text: typeof run === 'string' ? run : null,
      ...invocation,
      ...times,
      missed: missed ?? (cron === undefined ? 'one' : 'skip'),
      paused: false,
      lastAt: null,
      runs: 0,
      lastOutcome: null,
      createdBy: ctx.who.name,
      scopes: ctx.who.scopes,
      key: ctx.apiKey ?? null,
      causes: ctx.causes,
      replyTo: lasting(ctx.replyTo),
      createdAt: ctx.now,
    });
    await ctx.emit('schedule.created', ref, {
      name,
      ...invocation,
      cron: row.cron,
      zone: row.zone,
      missed: row.missed,
      nextAt: times.nextAt.toISOString(),
    });
    return scheduleReply(`${ref} runs ${typed(ctx, row)}, first at ${local(times.nextAt, row.zone)}.`, row);
  },
});

interface When {
  readonly cron: string | undefined;
  readonly zone: string | undefined;
  readonly at: string | undefined;
}

/** @throws Refusal `invalid_argument` for a time that is none or is over. */
function firstTime({ now }: Ctx, { cron, zone, at }: When) {
  if ((cron === undefined) === (at === undefined))
    throw new Refusal(
      'invalid_argument',
      'Say when: --cron "0 3 * * *" for again and again, or --at 2026-11-27T09:00 for once.',
    );
  if (cron !== undefined) {
    const [nextAt = now] = cronTimes(cron, zone ?? 'UTC', now).next(now, 1);
    return { cron, zone: zone ?? 'UTC', nextAt };
  }
  if (zone !== undefined)
    throw new Refusal('invalid_argument', 'zone is for cron; write it into at: 2026-11-27T09:00+01:00.');
  const nextAt = new Date(at ?? now);
  if (nextAt <= now)
    throw new Refusal(
      'invalid_argument',
      `at: expected a time to come, got ${local(nextAt, 'UTC')}; it is ${local(now, 'UTC')}.`,
    );
  return { cron: null, zone: 'UTC', nextAt };
}

/** What is to run can be read, may run by itself, holds no secret, may be run by whoever asks, and could. @throws Refusal. */
async function checked(ctx: Ctx, body: Body): Promise<Invocation> {
  const { invocation, missing, impossible } = await ctx.check(body);
  const words = invocation.command.replaceAll('.', ' ');
  refuseSecrets(invocation.args);
  if (!mayRunUnattended(invocation.command))
    throw new Refusal(
      'invalid_argument',
      `run: ${words} is for people to run there and then, not by itself.`,
    );
  if (missing !== undefined) throw new Refusal('forbidden', `${words} needs the permission ${missing}`);
  // Nobody sits there when it first comes to run.
  if (impossible) throw impossible;
  return invocation;
}

/** The conversation without what ends with the reply. */
function lasting(replyTo: Address | undefined): Address | null {
  if (replyTo === undefined) return null;
  const { channel, to, thread } = replyTo;
  return thread === undefined ? { channel, to } : { channel, to, thread };
}
