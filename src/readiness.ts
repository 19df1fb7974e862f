import type { ChannelState } from './channels.ts';
import { SECOND } from './domain/clock.ts';
import type { Database } from './store/database.ts';
import type { Background } from './background.ts';
import { workersAlive } from './core/worker-leases.ts';

/** Longer than this without a look for jobs, and nobody works on the queue, in milliseconds. */
const QUEUE_STALLED = 10 * SECOND;
const STALLED = 'nobody looks for jobs';

/**
 * Ready: the database takes a write lock and has this version's schema, the journal's end can be read, jobs are looked
 * for, and no channel that is on is deaf.
 */
export async function readiness(parts: {
  readonly store: Database;
  /** The schema the store was opened with. */
  readonly schema: number;
  readonly workspace: string;
  readonly channels: readonly ChannelState[];
  readonly background: Background | undefined;
}) {
  const { store, schema, workspace, channels, background } = parts;
  let [head, present, database] = [0, schema, 'ok'];
  try {
    await store.ping();
    head = await store.head(workspace);
    await store.history(workspace, head - 1, 1);
    present = await store.currentSchema();
  } catch (error) {
    database = error instanceof Error ? error.message : 'failed';
  }
  // A newer program may have migrated the database in the meantime.
  const migrations = present === schema ? 'ok' : `the database has schema ${present} now; start anew`;
  const queue = await queueState(background, () => store.read(workspace, workersAlive));
  const deaf = channels.some(({ health }) => health.state === 'deaf');
  const states = Object.fromEntries(channels.map(({ name, health }) => [name, { ...health }]));
  return {
    ok: database === 'ok' && migrations === 'ok' && queue !== STALLED && !deaf,
    checks: { database, migrations, queue, journal: head, channels: states },
  };
}

/** Where other processes run the jobs, it is for those to say whether they can; here stands how many there are. */
async function queueState(background: Background | undefined, alive: () => Promise<number>): Promise<string> {
  const idle = background === undefined ? Number.POSITIVE_INFINITY : background.sinceLook();
  if (idle === undefined)
    return alive().then(
      (n) => `run elsewhere: ${n} ${n === 1 ? 'worker is' : 'workers are'} alive`,
      () => 'run elsewhere',
    );
  return idle < QUEUE_STALLED ? 'ok' : STALLED;
}
