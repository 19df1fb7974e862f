import type { ChannelState } from './channels.ts';
import { SECOND } from './domain/clock.ts';
import type { SqliteStore } from './store/sqlite/store.ts';
import type { Workers } from './workers.ts';

/** Longer than this without a look for jobs, and nobody works on the queue, in milliseconds. */
const QUEUE_STALLED = 10 * SECOND;

/**
 * Ready: the database takes a write lock and has this version's schema, the journal's end can be read, jobs are looked
 * for, and no channel that is on is deaf.
 */
export async function readiness(parts: {
  readonly store: SqliteStore;
  /** The schema the store was opened with. */
  readonly schema: number;
  readonly workspace: string;
  readonly channels: readonly ChannelState[];
  readonly workers: Workers | undefined;
}) {
  const { store, schema, workspace, channels, workers } = parts;
  const head = await store.head(workspace);
  const database = await store
    .ping()
    .then(() => store.history(workspace, head - 1, 1))
    .then(() => 'ok')
    .catch((error: unknown) => (error instanceof Error ? error.message : 'failed'));
  // A newer program may have migrated the file in the meantime.
  const migrations =
    store.schema === schema ? 'ok' : `the database has schema ${store.schema} now; start anew`;
  const idle = workers?.sinceLook() ?? Number.POSITIVE_INFINITY;
  const queue = idle < QUEUE_STALLED ? 'ok' : 'nobody looks for jobs';
  const deaf = channels.some(({ health }) => health.state === 'deaf');
  const states = Object.fromEntries(channels.map(({ name, health }) => [name, { ...health }]));
  return {
    ok: database === 'ok' && migrations === 'ok' && queue === 'ok' && !deaf,
    checks: { database, migrations, queue, journal: head, channels: states },
  };
}
