import { liveKey } from '../core/bearer-grants.ts';
import type { Reading } from '../core/language.ts';
import type { Address } from '../core/message.ts';
import { enqueue } from '../core/outgoing.ts';
import { MOST_MISSED, type Plan } from '../core/schedule-plan.ts';
import type { Services } from '../core/services.ts';
import type { Tx } from '../core/store.ts';
import { scheduledCall } from '../core/system-context.ts';
import { mayRunUnattended } from '../core/unattended.ts';
import { clip } from '../domain/clip.ts';
import { Refusal } from '../domain/errors.ts';
import type { JsonObject } from '../domain/json.ts';
import { principals, type Principal } from '../domain/principal.ts';
import { redact, redactText } from '../domain/redact.ts';
import { schedules, type ScheduleRow } from '../domain/schedule.ts';

/** What became of a time that was due. */
export interface Outcome {
  readonly ok: boolean;
  readonly text: string;
  /** Whoever wrote it may not run it any more: it is paused until somebody looks. */
  readonly pause: boolean;
}

/** A run that the journal has begun to tell of: the id of the entry that does. */
export interface Begun {
  readonly correlationId: string;
  readonly cause: string;
}

/** What a time is used up by. */
export type Act = (tx: Tx, row: ScheduleRow, begun: Begun) => Promise<Outcome>;

/** Characters of the first line of an answer that the schedule keeps. */
const LONGEST = 300;

/** For a time whose command broke. */
export const failedInside: Act = async () => ({
  ok: false,
  text: 'something went wrong inside; see the server log',
  pause: false,
});

/** The command as it is read at an instant, or why it cannot be run. */
export async function readFor(
  { language }: Services,
  { text, command, args, createdBy }: ScheduleRow,
  asOf: Date,
): Promise<Reading | Refusal> {
  try {
    const reading = await language.read(text === null ? { command, args } : { text }, {
      now: asOf,
      who: createdBy,
    });
    if (reading.command.name === command && mayRunUnattended(command)) return reading;
    return new Refusal('conflict', `it would now be read as ${reading.command.name}; write it anew`);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** Uses up one time as planned: tells what was missed, runs what is due, and says when the next is. */
export async function useUp(tx: Tx, row: ScheduleRow, plan: Plan, act: Act): Promise<void> {
  const { run, next: nextAt, missed } = plan;
  const correlationId = tx.id();
  const tell = (event: string, details: JsonObject, cause: string | null = null) =>
    tx.append({ event, actor: 'system', target: row.ref, correlationId, cause, details });
  if (missed > 0)
    await tell('schedule.missed', { times: missed, more: missed > MOST_MISSED, policy: row.missed });
  if (!run) {
    await tx.update(schedules, row, { nextAt });
    return;
  }
  const { command, args, name } = row;
  const at = run.toISOString();
  const { id: cause } = await tell('schedule.ran', { name, at, command, args: redact(args) });
  const { ok, text, pause } = await act(tx, row, { correlationId, cause });
  if (!ok) {
    const event = pause ? 'schedule.refused' : 'schedule.failed';
    await tell(event, { name, at, reason: text, paused: pause }, cause);
    await complain(tx, row, at, text, pause);
  }
  await tx.update(schedules, row, {
    nextAt,
    lastAt: run,
    runs: row.runs + 1,
    lastOutcome: text,
    ...(pause && { paused: true }),
  });
}

/** As whoever wrote it, with the permissions they hold today and the scopes of the key they used. */
export async function runAs(
  services: Services,
  tx: Tx,
  row: ScheduleRow,
  reading: Reading | Refusal,
  begun: Begun,
): Promise<Outcome> {
  const who = await authorOf(services, tx, row);
  if (typeof who === 'string') return { ok: false, text: who, pause: true };
  if (reading instanceof Refusal) return { ok: false, text: shown(reading.message), pause: false };
  const { ref, scopes, causes } = row;
  const replyTo = (row.replyTo ?? undefined) as Address | undefined;
  const call = scheduledCall(services, tx, { ref, scopes, causes, ...begun, replyTo });
  const answer = await call.execute(reading, who, undefined);
  const pause = answer.error?.code === 'forbidden';
  return { ok: answer.status !== 'error', text: shown(answer.reply.text), pause };
}

/** Whoever wrote it, or why they count for nothing any more. */
async function authorOf(services: Services, tx: Tx, row: ScheduleRow): Promise<Principal | string> {
  const { ref, createdBy, createdAt, scopes, key } = row;
  const who = await services.directory.byName(tx, createdBy, scopes);
  // A name that was given away in between is another person's now.
  const entered = (await tx.get(principals, { name: createdBy }))?.createdAt;
  if (!who || (entered && entered > createdAt))
    return `${createdBy}, who wrote ${ref}, is no longer known here`;
  // What a key began ends with it, or whoever stole one would go on after it was revoked.
  if (key !== null && !(await liveKey(tx, key)))
    return `the key that ${createdBy} wrote ${ref} with is revoked or over; write it anew`;
  return who;
}

/** Tells the conversation it was written in: that it was paused each time, and other failures once an hour at most. */
async function complain(
  tx: Tx,
  row: ScheduleRow,
  at: string,
  reason: string,
  paused: boolean,
): Promise<void> {
  if (row.replyTo === null) return;
  const hour = tx.now.toISOString().slice(0, 13);
  const then = paused ? `\nIt is paused: \`schedule resume ${row.ref}\` once that is settled.` : '';
  const reply = { text: `${row.ref} (${row.name}) did not run at ${at}: ${reason}${then}` };
  const key = `schedule:${row.ref}:${paused ? at : hour}`;
  await enqueue(tx, { key, address: row.replyTo as Address, reply });
}

const shown = (text: string): string => clip(redactText(text.split('\n', 1)[0] ?? ''), LONGEST);
