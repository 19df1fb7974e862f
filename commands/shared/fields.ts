import { z } from 'zod';
import { permits, type Permission } from '../../src/domain/permission.ts';

/** Arguments that several commands take, so that they are read and described alike everywhere. */

const ONE_LINE = /^[^\p{Cc}]*$/u;
const NAME = /^[a-z][a-z0-9._-]{0,63}$/;
const PATTERN = /^!?(?:\*|[a-z][a-z0-9_-]*|\*:[a-z][a-z0-9_-]*|[a-z][a-z0-9_-]*:(?:\*|[a-z][a-z0-9_.-]*))$/;
const IDENTITY = /^(slack|email|github|gitlab):(\S{1,320})$/;

/** Text without line breaks, trimmed, from 1 to `max` characters. */
export const line = (description: string, max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine((text) => ONE_LINE.test(text), 'expected one line of text')
    .describe(description);

/** Text of any number of lines. */
export const body = (description: string, max = 10_000) =>
  z.string().max(max).meta({ multiline: true }).describe(description);

/** The id that people type: `TSK-12`. */
export const ref = (description: string) =>
  z.string().min(1).max(64).meta({ kind: 'ref' }).describe(description);

/** The name of somebody known. */
export const principal = (description: string) =>
  z.string().min(1).max(64).meta({ kind: 'principal' }).describe(description);

/** A name that is given here. */
export const newName = (description: string) =>
  z
    .string()
    .max(64)
    .refine(
      (name) => NAME.test(name),
      'expected lower-case letters, digits, ".", "_" and "-", a letter first',
    )
    .meta({ kind: 'principal' })
    .describe(description);

const isInstant = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) && !Number.isNaN(Date.parse(text));

/** An instant; a day alone means its first moment, or its last where `end` is asked for. */
export const date = (description: string, day?: 'end') =>
  z
    .string()
    .refine(isInstant, 'expected a date such as 2026-11-27 or 2026-11-27T17:00:00Z')
    .meta(day ? { kind: 'date', day } : { kind: 'date' })
    .describe(description);

/** Milliseconds; typed as `30s`, `5m`, `2h`, `1d`. */
export const duration = (description: string, min: number, max: number) =>
  z.int().min(min).max(max).meta({ kind: 'duration' }).describe(description);

export const limit = (max: number, usual: number) =>
  z.int().min(1).max(max).default(usual).describe(`How many at most; ${usual} unless told, ${max} at most`);

/** `task:read`, `task:*`, `*:read`, `*`, and with a leading `!` what is denied. */
export const permissions = (description: string) =>
  z
    .array(
      z.string().refine(isPattern, 'expected a permission such as task:read, task:*, *:read, * or !audit:*'),
    )
    .min(1)
    .max(100)
    .describe(description);

function isPattern(text: string): boolean {
  // A bare noun would never match anything; it is nearly always a slip for `noun:*`.
  return PATTERN.test(text) && (text.includes(':') || text.endsWith('*'));
}

export const identityList = (description: string) =>
  z
    .array(
      z
        .string()
        .refine((text) => IDENTITY.test(text), 'expected slack:TEAM/USER, email:ADDRESS or github:ID'),
    )
    .max(20)
    .describe(description);

/** `slack:T1/U2` → channel and subject; mail addresses in lower case, as the verifier reports them. */
export function readIdentity(text: string): { readonly channel: string; readonly subject: string } {
  const colon = text.indexOf(':');
  const [channel, subject] = [text.slice(0, colon), text.slice(colon + 1)];
  return { channel, subject: channel === 'email' ? subject.toLowerCase() : subject };
}

/** Whether one pattern covers all that another does. */
export const coversPattern = (wide: string, narrow: string): boolean => permits([wide], narrow as Permission);
