import type { Ctx } from '../../src/core/command.ts';
import { timesOf } from '../../src/core/cron.ts';
import type { Reply } from '../../src/core/message.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { redact } from '../../src/domain/redact.ts';
import { schedules, type ScheduleRow } from '../../src/domain/schedule.ts';
import { unknown } from '../shared/people.ts';

/** A workspace has this many at most. */
export const MOST = 500;

/** The one JSON form of a schedule. Instants are RFC 3339 in UTC. */
export function scheduleView(row: ScheduleRow): JsonObject {
  return {
    id: row.ref,
    version: row.version,
    name: row.name,
    run: { command: row.command, args: redact(row.args) },
    text: row.text,
    cron: row.cron,
    zone: row.zone,
    missed: row.missed,
    paused: row.paused,
    nextAt: row.nextAt?.toISOString() ?? null,
    lastAt: row.lastAt?.toISOString() ?? null,
    runs: row.runs,
    lastOutcome: row.lastOutcome,
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
  };
}

/** One line: `SCH-3 nightly [0 3 * * * Europe/Berlin] job run backup · next 2026-03-03 03:00 (Europe/Berlin)`. */
export function scheduleLine(ctx: Ctx, row: ScheduleRow): string {
  const { ref, name, cron, zone, paused, nextAt, runs, lastOutcome } = row;
  const when = cron === null ? 'once' : `${cron} ${zone}`;
  const next = paused ? 'paused' : nextAt === null ? 'over' : `next ${local(nextAt, zone)}`;
  const last = lastOutcome === null ? undefined : `${runs} run${runs === 1 ? '' : 's'}, last: ${lastOutcome}`;
  return [`${ref} ${name} [${when}] ${typed(ctx, row)}`, next, last].filter(Boolean).join(' · ');
}

/** What it runs, as it was typed: words for times in it are read anew each time. */
export const typed = (ctx: Ctx, { text, command, args }: ScheduleRow): string =>
  text ?? ctx.format({ command, args: redact(args) });

/** `2026-03-03 03:00:00 (Europe/Berlin)`. */
export function local(instant: Date, zone: string): string {
  const text = instant.toLocaleString('sv-SE', { timeZone: zone });
  return zone === 'UTC' ? `${text} UTC` : `${text} (${zone})`;
}

/** The next times, at most five. */
export function coming({ cron, zone, nextAt, paused }: ScheduleRow): Date[] {
  if (nextAt === null || paused) return [];
  if (cron === null) return [nextAt];
  return [nextAt, ...timesOf(cron, zone).next(nextAt, 4)];
}

export const scheduleReply = (text: string, row: ScheduleRow): Reply => ({ text, data: scheduleView(row) });

/** By id or name. @throws Refusal `not_found` with the nearest names. */
export async function findSchedule({ tx }: Ctx, id: string): Promise<ScheduleRow> {
  const row = (await tx.get(schedules, { ref: id })) ?? (await tx.get(schedules, { name: id }));
  if (row) return row;
  const known = await tx.find(schedules, { orderBy: [{ column: 'name' }], limit: MOST });
  throw unknown(
    'schedule',
    id,
    known.flatMap((one) => [one.ref, one.name]),
  );
}
