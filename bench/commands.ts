import { answerQuestions, cpuSeconds } from './child.ts';
import { openUnchained } from './commands/unchained.ts';
import { openPipeline } from './jobs/signalbox.ts';
import { openPostgres } from '../src/store/postgres/store.ts';
import { percentile } from './stats.ts';

/** So many callers who each wait for their answer, on one PostgreSQL database. */
export interface CommandsQuestion {
  readonly who: 'signalbox' | 'unchained';
  /** Of an empty database for the one, of a migrated one for the other. */
  readonly url: string;
  readonly callers: number;
  readonly seconds: number;
}

export interface CommandsAnswer {
  readonly perSecond: number;
  /** Milliseconds until the answer. */
  readonly p50: number;
  /** CPU microseconds of this process per command. */
  readonly cpu: number;
}

/** Milliseconds before measuring begins. */
const WARM_UP = 500;

answerQuestions(async ({ who, url, callers, seconds }: CommandsQuestion): Promise<CommandsAnswer> => {
  const { create, close } = who === 'signalbox' ? await signalbox(url) : await openUnchained(url, callers);
  try {
    await load(create, callers, WARM_UP);
    const cpu = cpuSeconds();
    const began = performance.now();
    const waits = await load(create, callers, seconds * 1_000);
    const elapsed = (performance.now() - began) / 1_000;
    return {
      perSecond: waits.length / elapsed,
      p50: percentile(waits, 50),
      cpu: ((cpuSeconds() - cpu) / waits.length) * 1e6,
    };
  } finally {
    await close();
  }
});

async function signalbox(url: string) {
  const store = await openPostgres({ url });
  const send = await openPipeline(store);
  const args = { title: 'Fix login', priority: 'P1' };
  const create = (key: string) => send({ command: 'task.create', args }, key);
  return { create, close: () => store.close() };
}

/** Milliseconds that each took. */
async function load(
  create: (key: string) => Promise<void>,
  callers: number,
  milliseconds: number,
): Promise<number[]> {
  const waits: number[] = [];
  const until = performance.now() + milliseconds;
  const caller = async () => {
    for (let now = performance.now(); now < until; ) {
      await create(crypto.randomUUID());
      const done = performance.now();
      waits.push(done - now);
      now = done;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return waits;
}
