import type { JsonObject } from './json.ts';
import { bool, int, json, maybe, table, text, time, type Row } from './table.ts';

/** A command that runs by itself, as the one who wrote it, at the times that a cron expression or an instant names. */
export const schedules = table('schedules', {
  ref: text(), // SCH-3
  name: text(),
  /** As it was typed: read again each time, so that `friday` is the next one; null where it was given as JSON. */
  text: maybe(text()),
  command: text(),
  args: json<JsonObject>(),
  /** Cron of five or six fields, read in `zone`; null where it runs once. */
  cron: maybe(text()),
  zone: text(),
  /** What becomes of the times that passed while nobody was there to run them. */
  missed: text<'skip' | 'one' | 'all'>(),
  paused: bool(),
  /** Null when there is no further time. */
  nextAt: maybe(time()),
  lastAt: maybe(time()),
  /** Runs so far. */
  runs: int(),
  lastOutcome: maybe(text()),
  /** Who wrote it: the requester of whatever it runs, with what the key was narrowed to. */
  createdBy: text(),
  scopes: json<readonly string[]>(),
  /** The API key that it was written with, if it was one: it runs for as long as that holds. */
  key: maybe(text()),
  /** What led to it: the jobs and deliveries that had it written; none where somebody wrote it by themselves. */
  causes: json<readonly string[]>(),
  replyTo: json<unknown>(),
  createdAt: time(),
});

export type ScheduleRow = Row<typeof schedules>;
