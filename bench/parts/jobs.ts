import { rmSync } from 'node:fs';
import { Child } from '../child.ts';
import type { JobsAnswer, JobsQuestion } from '../jobs.ts';
import { Cluster } from '../postgres.ts';
import { temporaryFolder } from '../server.ts';
import { median } from '../stats.ts';

export type EngineName = JobsQuestion['engine'];

export interface Measured {
  /** Jobs a second with one at a time, and with many. */
  readonly single: number;
  readonly batched: number;
  /** CPU microseconds of the worker's process per job, with many at a time. */
  readonly cpu: number;
  /** Milliseconds until an idle worker has begun a job; NaN where nobody waits. */
  readonly p50: number;
  readonly p95: number;
  /** Jobs a second against the peer of the same round. */
  readonly singleRatio: number;
  readonly batchedRatio: number;
}

export type Jobs = Readonly<Record<EngineName, Measured>>;

/** Each engine beside the one it is held against. */
const ON_SQLITE = { peer: 'plainjob', engines: ['raw', 'plainjob', 'sqlite'], atOnce: 20 } as const;
const ON_POSTGRES = { peer: 'pg-boss', engines: ['pg-boss', 'graphile', 'postgres'], atOnce: 50 } as const;
/** Jobs in each measurement: one at a time, many at a time, on an idle worker. */
const SINGLE = 1_000;
const BATCHED = 10_000;
const PICK_UPS = 100;

interface Round {
  readonly single: JobsAnswer;
  readonly batched: JobsAnswer;
  readonly pickUp: JobsAnswer | undefined;
}

/** The engines of one database take turns at each measurement, so that what else the machine does meets all. */
export async function jobs(rounds: number): Promise<Jobs> {
  const cluster = await Cluster.start();
  const folders: string[] = [];
  const folder = async () => {
    const made = temporaryFolder();
    folders.push(made);
    return made;
  };
  try {
    const all: Record<string, Measured> = {};
    for (const database of [ON_SQLITE, ON_POSTGRES]) {
      const place = database === ON_SQLITE ? folder : () => cluster.database();
      const found: Map<EngineName, Round>[] = [];
      for (let n = 0; n < rounds; n += 1) found.push(await round(database, place));
      for (const engine of database.engines) all[engine] = middle(engine, database.peer, found);
    }
    return all as Jobs;
  } finally {
    await cluster.stop();
    for (const made of folders) rmSync(made, { recursive: true, force: true });
  }
}

async function round(
  { engines, atOnce }: { readonly engines: readonly EngineName[]; readonly atOnce: number },
  place: () => Promise<string>,
): Promise<Map<EngineName, Round>> {
  const turn = async (
    measure: JobsQuestion['measure'],
    of = engines,
  ): Promise<Map<EngineName, JobsAnswer>> => {
    const answers = new Map<EngineName, JobsAnswer>();
    for (const engine of of) answers.set(engine, await ask({ engine, place: await place(), measure }));
    return answers;
  };
  const single = await turn({ kind: 'drain', jobs: SINGLE, atOnce: 1 });
  const batched = await turn({ kind: 'drain', jobs: BATCHED, atOnce });
  // A raw database wakes nobody.
  const waiting = engines.filter((engine) => engine !== 'raw');
  const pickUp = await turn({ kind: 'pick-up', times: PICK_UPS }, waiting);
  return new Map(
    engines.map((engine) => [
      engine,
      {
        single: single.get(engine) as JobsAnswer,
        batched: batched.get(engine) as JobsAnswer,
        pickUp: pickUp.get(engine),
      },
    ]),
  );
}

/** Each measurement in a process and a database of its own. */
async function ask(question: JobsQuestion): Promise<JobsAnswer> {
  const child = new Child<JobsQuestion, JobsAnswer>(new URL('../jobs.ts', import.meta.url));
  try {
    return await child.ask(question);
  } finally {
    child.stop();
  }
}

function middle(engine: EngineName, peer: EngineName, found: readonly Map<EngineName, Round>[]): Measured {
  const of = (pick: (mine: Round, theirs: Round) => number | undefined): number =>
    median(found.map((all) => pick(all.get(engine) as Round, all.get(peer) as Round) ?? Number.NaN));
  return {
    single: of(({ single }) => single.perSecond),
    batched: of(({ batched }) => batched.perSecond),
    cpu: of(({ batched }) => batched.cpu),
    p50: of(({ pickUp }) => pickUp?.p50),
    p95: of(({ pickUp }) => pickUp?.p95),
    singleRatio: of(({ single }, theirs) => single.perSecond / theirs.single.perSecond),
    batchedRatio: of(({ batched }, theirs) => batched.perSecond / theirs.batched.perSecond),
  };
}
