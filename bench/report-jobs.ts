import type { Jobs } from './parts/jobs.ts';
import type { AtCallers } from './parts/postgres.ts';

type EngineName = keyof Jobs;

/** What each engine is called, and the one that it is held against. */
const ENGINES: readonly (readonly [EngineName, string, EngineName | undefined])[] = [
  ['raw', 'raw better-sqlite3', undefined],
  ['plainjob', 'plainjob', undefined],
  ['sqlite', 'Signalbox on SQLite', 'plainjob'],
  ['pg-boss', 'bare pg-boss', undefined],
  ['graphile', 'graphile-worker', undefined],
  ['postgres', 'Signalbox on PostgreSQL', 'pg-boss'],
];

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const milliseconds = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(2));

/** Aims: ahead of plainjob, 0.6 of pg-boss; picked up within 1 ms and 5 ms. */
export function jobRows(jobs: Jobs): string[][] {
  const head = [
    'jobs',
    'one by one/s',
    'batched/s',
    'ratio',
    'aim',
    'µs CPU',
    'pick-up p50 ms',
    'p95 ms',
    'aim',
  ];
  const rows = ENGINES.map(([engine, name, peer]) => {
    const { single, batched, cpu, pickUp } = jobs[engine];
    const against = peer && jobs[peer];
    const onSqlite = engine === 'sqlite';
    return [
      name,
      whole(single),
      whole(batched),
      against ? `${(single / against.single).toFixed(2)} · ${(batched / against.batched).toFixed(2)}` : '',
      against ? (onSqlite ? '1.0' : '0.6') : '',
      cpu.toFixed(0),
      milliseconds(pickUp?.p50),
      milliseconds(pickUp?.p95),
      against ? (onSqlite ? '1' : '5') : '',
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
    callers === 16 ? '0.60' : '',
    `${ours.p50.toFixed(1)} : ${unchained.p50.toFixed(1)}`,
    `${ours.cpu.toFixed(0)} : ${unchained.cpu.toFixed(0)}`,
  ]);
  return [head, ...rows];
}
