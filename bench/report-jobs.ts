import type { EngineName, Jobs } from './parts/jobs.ts';
import type { AtCallers } from './parts/postgres.ts';

/** What each engine is called, and what is aimed at: a part of the peer's jobs a second, and milliseconds. */
const ENGINES: readonly (readonly [EngineName, string, ratio: string, pickUp: string])[] = [
  ['raw', 'raw better-sqlite3', '', ''],
  ['plainjob', 'plainjob', '', ''],
  ['sqlite', 'Signalbox on SQLite', '> 1.00', '< 1'],
  ['pg-boss', 'bare pg-boss', '', ''],
  ['graphile', 'graphile-worker', '', ''],
  ['postgres', 'Signalbox on PostgreSQL', '> 0.60', '< 5'],
];

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const milliseconds = (value: number): string => (Number.isNaN(value) ? '' : value.toFixed(2));

/** Ratios are against plainjob and against bare pg-boss. */
export function jobRows(jobs: Jobs): string[][] {
  const head = [
    'jobs',
    'one by one/s',
    'ratio',
    'many/s',
    'ratio',
    'aim',
    'µs CPU',
    'pick-up p50 ms',
    'p95 ms',
    'aim',
  ];
  const rows = ENGINES.map(([engine, name, ratio, pickUp]) => {
    const { single, singleRatio, batched, batchedRatio, cpu, p50, p95 } = jobs[engine];
    return [
      name,
      whole(single),
      singleRatio.toFixed(2),
      whole(batched),
      batchedRatio.toFixed(2),
      ratio,
      cpu.toFixed(0),
      milliseconds(p50),
      milliseconds(p95),
      pickUp,
    ];
  });
  return [head, ...rows];
}

export function commandRows(all: readonly AtCallers[]): string[][] {
  const head = ['commands on PostgreSQL', 'ours/s', 'no chain/s', 'ratio', 'aim', 'p50 ms', 'µs CPU'];
  const rows = all.map(({ callers, slower, ours, unchained, throughput }) => [
    `${callers} ${callers === 1 ? 'caller' : 'callers'}${slower > 0 ? `, fsync + ${slower} ms` : ''}`,
    whole(ours.perSecond),
    whole(unchained.perSecond),
    throughput.toFixed(2),
    callers === 16 ? '> 0.60' : '',
    `${ours.p50.toFixed(1)} : ${unchained.p50.toFixed(1)}`,
    `${ours.cpu.toFixed(0)} : ${unchained.cpu.toFixed(0)}`,
  ]);
  return [head, ...rows];
}
