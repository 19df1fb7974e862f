import { percentile } from '../stats.ts';

export interface Measured {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Pieces of work in all, the warm-up's too. */
  readonly work: number;
}

/** Keeps callers busy, each sending its next request when the last was answered, and times them after a warm-up. */
export async function measure(seconds: number, callers: readonly (() => Promise<void>)[]): Promise<Measured> {
  const begin = performance.now();
  const from = begin + Math.min(1_000, seconds * 250);
  const until = from + seconds * 1_000;
  const times: number[] = [];
  let calls = 0;
  const work = async (call: () => Promise<void>): Promise<void> => {
    for (let started = begin; started < until; ) {
      await call();
      calls += 1;
      const ended = performance.now();
      if (started >= from && ended <= until) times.push(ended - started);
      started = ended;
    }
  };
  await Promise.all(callers.map(work));
  return {
    perSecond: times.length / seconds,
    p50: percentile(times, 50),
    p99: percentile(times, 99),
    work: calls,
  };
}
