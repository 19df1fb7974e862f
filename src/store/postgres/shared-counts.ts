import type { Count, SharedCounts } from '../../core/minute-counter.ts';
import { HOUR, MINUTE } from '../../domain/clock.ts';
import { sha256 } from '../../domain/json.ts';
import type { Connections } from './connections.ts';
import { named } from './dialect.ts';

/** Keys at a time: each takes some hundredths of a millisecond. */
const BATCH = 5_000;
const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
const GOES_ON = `abs(known.expire - excluded.expire) < ${MINUTE}`;
/**
 * In one order, so that two processes wait for one another and not each for the other. A minute that ends further off than
 * another one from now was begun by a clock that was set back since, and is over.
 */
const ADD = named(
  `INSERT INTO rate_limits AS known (key, points, expire)
   SELECT key, points, present + ${MINUTE}
   FROM unnest($1::text[], $2::int[]) AS added (key, points), (SELECT ${NOW} AS present) AS clock ORDER BY key
   ON CONFLICT (key) DO UPDATE SET
     points = excluded.points + CASE WHEN ${GOES_ON} THEN known.points ELSE 0 END,
     expire = CASE WHEN ${GOES_ON} THEN known.expire ELSE excluded.expire END
   RETURNING key, points, expire - ${NOW} AS left`,
);
const FORGET = named(`DELETE FROM rate_limits WHERE expire < ${NOW}`);

interface Row {
  readonly key: string;
  readonly points: number;
  readonly left: number;
}

/** Counts in a table outside of any workspace and transaction; unlogged, so that a count waits for no disk. */
export function createSharedCounts(connections: Connections): SharedCounts {
  let forgotten = performance.now();
  return {
    async add(messages) {
      // Of whatever length; and who sends is nobody's business outside of the workspace.
      const keys = new Map(Array.from(messages.keys(), (key) => [sha256(key), key]));
      const points = [...messages.values()];
      const counts = new Map<string, Count>();
      const hashes = [...keys.keys()];
      for (let from = 0; from < hashes.length; from += BATCH) {
        const [some, theirs] = [hashes, points].map((all) => all.slice(from, from + BATCH));
        const { rows } = await connections.with((session) => session.ask(ADD, [some, theirs] as never));
        for (const { key, points: counted, left } of rows as Row[])
          counts.set(keys.get(key) ?? key, { counted, msBeforeNext: Math.max(0, left) });
      }
      if (performance.now() > forgotten + HOUR) {
        forgotten = performance.now();
        await connections.with((session) => session.ask(FORGET));
      }
      return counts;
    },
  };
}
