import { parseArgs } from 'node:util';

export const PARTS = [
  'start',
  'database',
  'rest',
  'webhook',
  'ws',
  'fanout',
  'scale',
  'jobs',
  'postgres',
] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  readonly parts: readonly Part[];
  /** Of each measurement. */
  readonly seconds: number;
  /** How often the bare limit and Signalbox take turns; the table shows medians. */
  readonly rounds: number;
  /** Tasks in the large database of `scale`. */
  readonly tasks: number;
  /** Where V8 profiles of the server are written. */
  readonly profile: string | undefined;
}

export const USAGE = `Usage: npm run bench -- [options]
  --only A,B      ${PARTS.join(', ')}; all unless given
  --seconds N     of each measurement, 3 unless given
  --rounds N      bare and Signalbox take turns this often, 3 unless given
  --quick         compare 1,000 tasks with 100,000 instead of 1,000,000
  --profile DIR   write V8 CPU profiles of the server there
`;

/** @throws TypeError for an option that is unknown or no number. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
      profile: { type: 'string' },
    },
  });
  return {
    parts: values.only === undefined ? PARTS : values.only.split(',').map(partOf),
    seconds: positive('seconds', values.seconds),
    rounds: positive('rounds', values.rounds),
    tasks: values.quick ? 100_000 : 1_000_000,
    profile: values.profile,
  };
}

function partOf(name: string): Part {
  const part = PARTS.find((known) => known === name);
  if (part === undefined) throw new TypeError(`--only: "${name}" is none of ${PARTS.join(', ')}`);
  return part;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 600)) throw new TypeError(`--${name}: expected a number from 1 to 600`);
  return value;
}
