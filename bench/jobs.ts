import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { openSqlite } from '../src/store/sqlite/store.ts';
import { openPostgres } from '../src/store/postgres/store.ts';
import { answerQuestions, cpuSeconds } from './child.ts';
import { analyze, type Engine } from './jobs/engine.ts';
import { openGraphile } from './jobs/graphile.ts';
import { openPgBoss } from './jobs/pg-boss.ts';
import { openPlainjob } from './jobs/plainjob.ts';
import { openRaw } from './jobs/raw.ts';
import { openSignalbox } from './jobs/signalbox.ts';
import { percentile } from './stats.ts';

/** One engine on a database of its own, and what is asked of it. */
export interface JobsQuestion {
  readonly engine: keyof typeof ENGINES;
  /** A folder, or the address of an empty PostgreSQL database. */
  readonly place: string;
  readonly measure:
    | { readonly kind: 'drain'; readonly jobs: number; readonly atOnce: number }
    | { readonly kind: 'pick-up'; readonly times: number };
}

export interface JobsAnswer {
  readonly perSecond: number;
  /** CPU microseconds of this process per job. */
  readonly cpu: number;
  /** Milliseconds from the commit that queues a job until it runs, on an idle worker. */
  readonly p50: number;
  readonly p95: number;
}

const ENGINES = {
  raw: (folder: string) => openRaw(join(folder, 'raw.db')),
  plainjob: (folder: string) => openPlainjob(join(folder, 'plainjob.db')),
  sqlite: async (folder: string) => openSignalbox(openSqlite({ path: join(folder, 'signalbox.db') })),
  'pg-boss': openPgBoss,
  graphile: openGraphile,
  postgres: async (url: string) => {
    const engine = await openSignalbox(await openPostgres({ url }));
    const fill = async (jobs: number) => {
      await engine.fill(jobs);
      await analyze(url);
    };
    return { ...engine, fill };
  },
} as const;

/** Milliseconds between two jobs for an idle worker. */
const PAUSE = 25;
const NONE = Number.NaN;

answerQuestions(async ({ engine, place, measure }: JobsQuestion): Promise<JobsAnswer> => {
  const opened = await ENGINES[engine](place);
  try {
    return measure.kind === 'drain'
      ? await drained(opened, measure.jobs, measure.atOnce)
      : await pickedUp(opened, measure.times);
  } finally {
    await opened.close();
  }
});

async function drained(engine: Engine, jobs: number, atOnce: number): Promise<JobsAnswer> {
  await engine.fill(jobs);
  const cpu = cpuSeconds();
  const began = performance.now();
  await engine.drain(jobs, atOnce);
  const elapsed = (performance.now() - began) / 1_000;
  return { perSecond: jobs / elapsed, cpu: ((cpuSeconds() - cpu) / jobs) * 1e6, p50: NONE, p95: NONE };
}

async function pickedUp(engine: Engine, times: number): Promise<JobsAnswer> {
  let began: () => void = () => undefined;
  await engine.idle(() => began());
  const waits: number[] = [];
  for (let n = -5; n < times; n += 1) {
    await after(PAUSE * (1 + Math.random()));
    const running = new Promise<number>((resolve) => (began = () => resolve(performance.now())));
    await engine.put();
    const durable = performance.now();
    const wait = Math.max(0, (await running) - durable);
    // The first few find everything cold.
    if (n >= 0) waits.push(wait);
  }
  return { perSecond: NONE, cpu: NONE, p50: percentile(waits, 50), p95: percentile(waits, 95) };
}
