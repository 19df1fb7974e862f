import { RateLimiterPostgres } from 'rate-limiter-flexible';
import type { SharedCounts } from '../../core/minute-counter.ts';
import { sha256 } from '../../domain/json.ts';
import type { Value } from '../statements.ts';
import type { Connections } from './connections.ts';

interface Asked {
  readonly name: string;
  readonly text: string;
  readonly values: readonly Value[];
}

/** Counts in a table outside of any workspace and transaction; unlogged, so that a count waits for no disk. */
export function createSharedCounts(connections: Connections): SharedCounts {
  const limiter = new RateLimiterPostgres({
    storeClient: {
      query: ({ name, text, values }: Asked) =>
        connections.with((session) => session.ask({ name, text }, values)),
    },
    storeType: 'client',
    tableName: 'rate_limits',
    tableCreated: true,
    // The limit is the caller's.
    points: Number.MAX_SAFE_INTEGER,
    duration: 60,
  });
  return {
    async add(key, messages) {
      // Of whatever length; and who sends is nobody's business outside of the workspace.
      const { consumedPoints, msBeforeNext } = await limiter.penalty(sha256(key), messages);
      return { counted: consumedPoints, msBeforeNext };
    },
  };
}
