import { rmSync } from 'node:fs';
import { Child } from '../child.ts';
import type { JobsAnswer, JobsQuestion } from '../jobs.ts';
import { Cluster } from '../postgres.ts';
import { temporaryFolder } from '../server.ts';
import { median } from '../stats.ts';

type EngineName = JobsQuestion['engine'];

export interface Measured {
  /** Jobs a second with one at a time, and with many. */
  readonly single: number;
  readonly batched: number;
  /** CPU microseconds of the worker's process per job, with many at a time. */
  readonly cpu: number;
  /** Milliseconds until an idle worker has begun a job; undefined where nobody waits. */
  readonly pickUp: { readonly p50: number; readonly p95: number } | undefined;
}

export type Jobs = Readonly<Record<EngineName, Measured>>;

/** Each database's bare engines and ours in turns. */
const ON_SQLITE = ['raw', 'plainjob', 'sqlite'] as const;
const ON_POSTGRES = ['pg-boss', 'graphile', 'postgres'] as const;
/** Jobs in each measurement: one at a time, many at a time, on an idle worker. */
const SINGLE = 1_000;
const BATCHED = 10_000;
const PICK_UPS = 100;
/** How many are claimed and run at once where an engine can: as many as in the others' published figures. */
const AT_ONCE = { sqlite: 20, postgres: 50 } as const;

export async function jobs(rounds: number): Promise<Jobs> {
  const cluster = await Cluster.start();
  try {
    const found = new Map<EngineName, Measured[]>();
    for (let round = 0; round < rounds; round += 1) {
      for (const engine of ON_SQLITE) add(found, engine, await onSqlite(engine));
      for (const engine of ON_POSTGRES)
        add(found, engine, await measured(engine, AT_ONCE.postgres, () => cluster.database()));
    }
    return Object.fromEntries([...found].map(([engine, all]) => [engine, middle(all)])) as Jobs;
  } finally {
    await cluster.stop();
  }
}

async function onSqlite(engine: (typeof ON_SQLITE)[number]): Promise<Measured> {
  const folders: string[] = [];
  const place = async () => {
    const folder = temporaryFolder();
    folders.push(folder);
    return folder;
  };
  try {
    return await measured(engine, AT_ONCE.sqlite, place);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** Each measurement in a process and a database of its own. */
async function measured(engine: EngineName, atOnce: number, place: () => Promise<string>): Promise<Measured> {
  const ask = async (measure: JobsQuestion['measure']): Promise<JobsAnswer> => {
    const child = new Child<JobsQuestion, JobsAnswer>(new URL('../jobs.ts', import.meta.url));
    try {
      return await child.ask({ engine, place: await place(), measure });
    } finally {
      child.stop();
    }
  };
  const single = await ask({ kind: 'drain', jobs: SINGLE, atOnce: 1 });
  const batched = await ask({ kind: 'drain', jobs: BATCHED, atOnce });
  // A raw database wakes nobody.
  const pickUp = engine === 'raw' ? undefined : await ask({ kind: 'pick-up', times: PICK_UPS });
  return { single: single.perSecond, batched: batched.perSecond, cpu: batched.cpu, pickUp };
}

function add<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}

function middle(all: readonly Measured[]): Measured {
  const of = (pick: (m: Measured) => number | undefined) => median(all.map((m) => pick(m) ?? Number.NaN));
  const waits = all.some(({ pickUp }) => pickUp !== undefined);
  return {
    single: of((m) => m.single),
    batched: of((m) => m.batched),
    cpu: of((m) => m.cpu),
    pickUp: waits ? { p50: of((m) => m.pickUp?.p50), p95: of((m) => m.pickUp?.p95) } : undefined,
  };
}
