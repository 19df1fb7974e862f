import { Refusal } from './errors.ts';
import { isObject, type JsonObject } from './json.ts';
import type { Usage } from './job.ts';

/** Of one report, and of one run. */
const MOST_UNITS = 20;
/** Of one total; what comes after is added to `other`. */
const MOST_TOTALLED = 100;
const MOST = 1e12;
export const UNIT = /^[a-z][a-z0-9_]{0,39}$/;
export const MILLION = 1_000_000;
const MONEY = /^\d{1,10}(?:\.\d{1,6})?$/;
/** In the currency: as much as stays exact in millionths. */
const MOST_MONEY = 1e9;

/**
 * What a run reports, as programs, answers and workers write it: an amount for each unit, and `cost` in the currency as
 * a number or a decimal text: `{ tokens: 1200, cost: "0.012" }`.
 * @throws Refusal `invalid_argument` that says what was expected, for anything else.
 */
export function readUsage(report: unknown): Usage {
  if (!isObject(report)) throw unfit('expected an object such as {"tokens": 1200, "cost": 0.012}');
  const { cost = 0, ...units } = report;
  const names = Object.keys(units);
  if (names.length > MOST_UNITS) throw unfit(`expected at most ${MOST_UNITS} units`);
  const millionths = readMoney(cost);
  if (millionths === undefined)
    throw unfit('cost: expected an amount from 0 to 1000000000, as a number or as text such as "0.012"');
  for (const name of names) {
    if (!UNIT.test(name))
      throw unfit('expected unit names of 1 to 40 lower-case letters, digits and "_", a letter first');
    if (!isAmount(units[name])) throw unfit(`${name}: expected a number from 0 to ${MOST}`);
  }
  return { units: units as Usage['units'], cost: millionths };
}

const unfit = (expected: string): Refusal => new Refusal('invalid_argument', `usage: ${expected}.`);

const isAmount = (value: unknown): boolean =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= MOST;

/** Millionths of the currency; undefined for what is no amount of it. A number is rounded to millionths. */
export function readMoney(value: unknown): number | undefined {
  const amount = typeof value === 'string' && MONEY.test(value) ? Number(value) : value;
  if (typeof amount !== 'number' || !(amount >= 0 && amount <= MOST_MONEY)) return undefined;
  return Math.round(amount * MILLION);
}

/** Millionths as people write them: `12.50`, `0.000125`. */
export function money(millionths: number): string {
  const fraction = String(millionths % MILLION).padStart(6, '0');
  return `${Math.trunc(millionths / MILLION)}.${fraction.replace(/0{1,4}$/, '')}`;
}

/** What a run used so far and what it reports now. */
export const addUsage = (before: Usage | null, more: Usage): Usage =>
  sum(before ?? { units: {}, cost: 0 }, more, MOST_UNITS);

/** A total with a further report. */
export const addToTotal = (before: Usage, more: Usage): Usage => sum(before, more, MOST_TOTALLED);

function sum(before: Usage, more: Usage, most: number): Usage {
  const units = new Map(Object.entries(before.units));
  for (const [name, amount] of Object.entries(more.units)) {
    const unit = units.has(name) || units.size < most ? name : 'other';
    // 15 digits: what a double holds for sure, so that 0.1 and 0.2 are 0.3.
    units.set(unit, Number(((units.get(unit) ?? 0) + amount).toPrecision(15)));
  }
  return {
    units: Object.fromEntries(units),
    cost: Math.min(before.cost + more.cost, Number.MAX_SAFE_INTEGER),
  };
}

export type Per = 'day' | 'month' | 'all';

/** The period that an instant is in, by UTC: `2026-11-20`, `2026-11`, and `all` for ever. */
export function periodOf(per: Per, at: Date): string {
  return per === 'all' ? 'all' : at.toISOString().slice(0, per === 'day' ? 10 : 7);
}

/** When the period that an instant is in ends: midnight, or the first of the next month, in UTC. */
export function endOf(per: 'day' | 'month', at: Date): Date {
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
  return new Date(per === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1));
}

/** As readers get it: the cost as a decimal text in the currency. */
export const usageView = ({ units, cost }: Usage): JsonObject => ({ units: { ...units }, cost: money(cost) });

/** `1200 tokens, cost 0.012`. */
export const usageText = ({ units, cost }: Usage): string =>
  [...Object.entries(units).map(([name, amount]) => `${amount} ${name}`), `cost ${money(cost)}`].join(', ');
