import type { Comparison } from './parts/compare.ts';
import type { RawDatabase } from './parts/database.ts';
import type { Jobs } from './parts/jobs.ts';
import type { AtCallers } from './parts/postgres.ts';
import { commandRows, jobRows } from './report-jobs.ts';
import type { Scale, Verb } from './parts/scale.ts';
import { VERBS } from './parts/scale.ts';
import type { Start } from './parts/start.ts';

export interface Results {
  start?: Start;
  database?: RawDatabase;
  rest?: Comparison;
  webhook?: Comparison;
  ws?: Comparison;
  fanout?: Comparison;
  scale?: Scale;
  jobs?: Jobs;
  postgres?: readonly AtCallers[];
}

/** What each comparison is held against. */
const COMPARED = [
  ['rest', 'REST', 'express + HMAC'],
  ['webhook', 'webhook', 'express + HMAC'],
  ['ws', 'WebSocket', 'ws echo'],
  ['fanout', 'fan-out, 1,000 sockets', 'ws loop'],
] as const;

/** The tables for people. */
export function tables(results: Results): string {
  const { jobs, postgres } = results;
  return [
    ...compared(results),
    ...raw(results),
    ...started(results),
    ...scaled(results),
    ...(jobs ? table(jobRows(jobs)) : []),
    ...(postgres ? table(commandRows(postgres)) : []),
  ].join('\n');
}

function compared(results: Results): string[] {
  const rows = COMPARED.flatMap(([key, name, limit]) => {
    const found = results[key];
    return found ? [[name, limit, ...columns(found)]] : [];
  });
  if (rows.length === 0) return [];
  const head = ['', 'bare limit', 'bare/s', 'ours/s', 'ratio', 'CPU ratio', 'µs CPU', 'p50 ms', 'p99 ms'];
  return table([head, ...rows]);
}

function columns({ bare, ours, throughput, cpu }: Comparison): string[] {
  return [
    whole(bare.perSecond),
    whole(ours.perSecond),
    throughput.toFixed(2),
    cpu.toFixed(2),
    `${ours.cpu.toFixed(1)} : ${bare.cpu.toFixed(1)}`,
    `${ours.p50.toFixed(2)} : ${bare.p50.toFixed(2)}`,
    `${ours.p99.toFixed(2)} : ${bare.p99.toFixed(2)}`,
  ];
}

function raw({ database }: Results): string[] {
  if (!database) return [];
  const { single, grouped } = database;
  const head = ['raw better-sqlite3', 'commands/s', 'µs CPU'];
  return table([
    head,
    ['one by one', whole(single.perSecond), single.cpu.toFixed(1)],
    ['32 to an fsync', whole(grouped.perSecond), grouped.cpu.toFixed(1)],
  ]);
}

function started({ start }: Results): string[] {
  if (!start) return [];
  return table([
    ['start', 'ready ms', 'idle MB'],
    ['Slack and email off', whole(start.ready), whole(start.idle)],
  ]);
}

function scaled({ scale }: Results): string[] {
  if (!scale) return [];
  const row = (verb: Verb): string[] => {
    const { small, large, throughput } = scale.verbs[verb];
    return [
      verb,
      whole(small.perSecond),
      whole(large.perSecond),
      throughput.toFixed(2),
      `${large.p50.toFixed(2)} : ${small.p50.toFixed(2)}`,
      `${large.p99.toFixed(2)} : ${small.p99.toFixed(2)}`,
    ];
  };
  const at = (tasks: number) => `/s at ${whole(tasks)}`;
  return table([['tasks', at(scale.small), at(scale.large), 'ratio', 'p50 ms', 'p99 ms'], ...VERBS.map(row)]);
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
  return [...rows.map(line), ''];
}
