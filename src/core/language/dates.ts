import type { Json, JsonObject } from '../../domain/json.ts';
import type { Field, Spec } from './fields.ts';
import { Unfit } from './values.ts';

const DAY_TEXT = /^\d{4}-\d\d-\d\d$/;
const INSTANT = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?$/i;

/**
 * Replaces the dates among the arguments by ISO 8601 instants in UTC (or days, where the schema asks for days).
 * Understands ISO dates and instants, and what chrono-node does: `friday`, `tomorrow 9:00`, `in 2 hours`. A time without
 * a zone is UTC; a weekday is the next one. @throws Unfit with the field it belongs to.
 */
export async function settleDates(
  spec: Spec,
  args: JsonObject,
  now: Date,
  fail: (field: Field, error: unknown, value: Json) => Error,
): Promise<JsonObject> {
  const settled: Record<string, Json> = { ...args };
  for (const field of spec.dates) {
    const value = settled[field.name];
    const settleOne = async (text: Json): Promise<Json> => {
      if (typeof text !== 'string') return text;
      const read = await readDate(field.item ?? field, text, now);
      if (read === undefined)
        throw fail(field, new Unfit('a date such as 2026-11-20, friday or "tomorrow 9:00"'), text);
      return read;
    };
    if (Array.isArray(value))
      settled[field.name] = await Promise.all((value as readonly Json[]).map(settleOne));
    else if (value !== undefined) settled[field.name] = await settleOne(value);
  }
  return settled;
}

/** The ISO form of a date as people write it; undefined when the text is anything else. */
export async function readDate(
  field: Pick<Field, 'dayOnly' | 'dayEnd'>,
  text: string,
  now: Date,
): Promise<string | undefined> {
  const trimmed = text.trim();
  if (DAY_TEXT.test(trimmed)) return finish(field, at(trimmed, '00:00', 'Z'), false);
  const match = INSTANT.exec(trimmed);
  if (match) return finish(field, at(match[1] ?? '', match[2] ?? '', match[3] ?? 'Z'), true);
  return readWords(field, trimmed, now);
}

/** The instant, unless the calendar lacks the day (JavaScript reads 30 February as 2 March). */
function at(day: string, time: string, zone: string): Date | undefined {
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== day) return undefined;
  const date = new Date(
    `${day}T${time}${/\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase()}`,
  );
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** Loaded on first need, for it takes 90 ms; from then on a date is read without waiting. */
let chrono: typeof import('chrono-node') | undefined;

async function readWords(
  field: Pick<Field, 'dayOnly' | 'dayEnd'>,
  text: string,
  now: Date,
): Promise<string | undefined> {
  if (text === '' || text.length > 100) return undefined;
  chrono ??= await import('chrono-node');
  const [found, ...more] = chrono.parse(text, { instant: now, timezone: 0 }, { forwardDate: true });
  if (!found || more.length > 0 || found.text.length !== text.length || found.end) return undefined;
  const date = found.start.date();
  const timed = found.start.isCertain('hour');
  if (!timed) date.setUTCHours(0, 0, 0, 0);
  return finish(field, date, timed);
}

function finish(
  field: Pick<Field, 'dayOnly' | 'dayEnd'>,
  date: Date | undefined,
  timed: boolean,
): string | undefined {
  if (!date) return undefined;
  if (field.dayOnly) return date.toISOString().slice(0, 10);
  if (!timed && field.dayEnd) date.setUTCHours(23, 59, 59, 0);
  return date.toISOString();
}
