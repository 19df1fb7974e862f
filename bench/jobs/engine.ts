import pg from 'pg';

/** A job engine with one worker in this process, whose jobs do nothing. */
export interface Engine {
  /** Puts so many jobs into the queue while the worker rests. */
  fill(jobs: number): Promise<void>;
  /** Lets the worker run until that many have ended durably, so many at a time. */
  drain(jobs: number, atOnce: number): Promise<void>;
  /** Lets the worker wait for work; `began` hears of each job when it begins. */
  idle(began: () => void): Promise<void>;
  /** Puts one job into the queue, durably. */
  put(): Promise<void>;
  close(): Promise<void>;
}

/** Resolves with the `count`th call of `one`. */
export function countdown(count: number): { one: () => void; over: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = count;
  return {
    one: () => {
      left -= 1;
      if (left === 0) resolve();
    },
    over: promise,
  };
}

/** Tells PostgreSQL what is in the tables that were just filled, as it will have found out itself after a minute. */
export async function analyze(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('ANALYZE');
  await client.end();
}
