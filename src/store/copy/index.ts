import { verifyChains } from '../../domain/chains.ts';
import { Refusal } from '../../domain/errors.ts';
import { isOver, jobs, JOB_STATES } from '../../domain/job.ts';
import { journal, type JournalEntry } from '../../domain/journal.ts';
import type { Location } from '../../domain/location.ts';
import { leases, outbox } from '../../domain/records.ts';
import { refuseNewer } from '../migrations.ts';
import { storageRefusal } from '../sqlite/storage-errors.ts';
import type { Head, Source, Target } from './ends.ts';
import { cellOf, entryOfCells, plainOf, PLAIN_TABLES, type Cells, type PlainTable } from './plain.ts';
import { copyFile, openSqliteSource, openSqliteTarget, SqliteFile } from './sqlite.ts';

export interface CopyOptions {
  readonly from: Location;
  /** Empty: a file that is not there, or a PostgreSQL database without a workspace. */
  readonly to: Location;
  /** Nobody may write to the source meanwhile, and no server may be running on it. */
  readonly alone: boolean;
  /** Copies and checks everything, then leaves nothing of it. */
  readonly dryRun: boolean;
  /** By the clock of this machine. */
  readonly now: Date;
}

export interface Copied {
  /** Rows by table; tables without any are left out. */
  readonly rows: ReadonlyMap<string, number>;
  /** The last entry of each workspace's journal. */
  readonly heads: ReadonlyMap<string, Head>;
  /** What a server that is started on the copy goes on with at once. */
  readonly open: { readonly jobs: number; readonly messages: number };
}

/**
 * Copies a whole database into an empty one, all or nothing: rows, counters and journal as they are. The chains of the
 * source hold before anything is written, and those of the copy end with the same hashes before it is kept.
 * @throws Refusal that says what is wrong with either; nothing is left of the copy then.
 */
export async function copyDatabase(options: CopyOptions): Promise<Copied> {
  const { from, to, alone, dryRun, now } = options;
  const source = await openSource(from, alone);
  try {
    refuseNewer(source.schema);
    if (alone) await refuseRunning(source, (await source.now()) ?? now);
    const heads = await verified(source);
    const examine = (copy: Source) => compare(copy, heads);
    if (source instanceof SqliteFile && to.kind === 'sqlite')
      return await copyFile(source, to.path, { examine, keep: !dryRun });
    const target = await openTarget(to);
    try {
      await fill(source, target, heads);
      const copied = await examine(target);
      if (!dryRun) await target.commit();
      return copied;
    } finally {
      await target.close();
    }
  } catch (error) {
    throw storageRefusal(error, source.name);
  } finally {
    await source.close();
  }
}

/** Each loads its own driver, and only that one. */
async function openSource(from: Location, alone: boolean): Promise<Source> {
  if (from.kind === 'sqlite') return openSqliteSource(from.path, alone);
  return (await import('./postgres.ts')).openPostgresSource(from.url, alone);
}

async function openTarget(to: Location): Promise<Target> {
  if (to.kind === 'sqlite') return openSqliteTarget(to.path);
  return (await import('./postgres.ts')).openPostgresTarget(to.url, to.owner);
}

/** Whoever serves a database holds leases in it; those of one that was killed run out within seconds. */
async function refuseRunning(source: Source, now: Date): Promise<void> {
  const table = plainOf(leases);
  const [name, holder, expires] = [cellOf(table, 'id'), cellOf(table, 'holder'), cellOf(table, 'expires_at')];
  for (const workspace of await source.workspaces()) {
    for await (const rows of source.rows(table, workspace)) {
      const held = rows.find((row) => Number(expires(row)) > now.getTime());
      if (held)
        throw new Refusal(
          'conflict',
          `A server is running on ${source.name} (${holder(held)} holds ${name(held)}): stop it first.`,
        );
    }
  }
}

async function fill(source: Source, target: Target, heads: ReadonlyMap<string, Head>): Promise<void> {
  if (source.schema !== target.schema)
    throw new Refusal(
      'conflict',
      `${source.name} has schema ${source.schema}, and the copy would have ${target.schema}: ` +
        'bring it to this version first, with SIGNALBOX_DB set to it and `signalbox migrate`.',
    );
  for (const workspace of await source.workspaces()) {
    await target.open(workspace, heads.get(workspace));
    for (const table of PLAIN_TABLES) {
      const fit = fitting(table);
      for await (const rows of source.rows(table, workspace)) await target.insert(table, rows.map(fit));
    }
  }
}

/** A ticket is of the engine that gave it: without one, a queued job is handed to the engine of the copy. */
function fitting(table: PlainTable): (row: Cells) => Cells {
  if (table.name !== jobs.name) return (row) => row;
  const ticket = table.columns.findIndex(({ name }) => name === 'ticket');
  return (row) => row.with(ticket, null);
}

/** The ends of all chains. @throws Refusal that names the first entry that is broken. */
async function verified(source: Source): Promise<Map<string, Head>> {
  let verdict: Awaited<ReturnType<typeof verifyChains>>;
  try {
    verdict = await verifyChains(entriesOf(source));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Refusal('conflict', `The journal of ${source.name} cannot be read: ${error.message}.`);
  }
  const { chains, fault } = verdict;
  if (fault)
    throw new Refusal(
      'conflict',
      `The journal of ${source.name} is broken at entry ${fault.seq} of ${fault.workspace}: ${fault.reason}.`,
    );
  return new Map(chains);
}

async function* entriesOf(source: Source): AsyncIterable<JournalEntry> {
  const table = plainOf(journal);
  for (const workspace of await source.workspaces())
    for await (const rows of source.rows(table, workspace))
      for (const row of rows) yield entryOfCells(workspace, row);
}

/** What the copy holds. @throws Refusal when its chains do not end as those of the source do. */
async function compare(copy: Source, expected: ReadonlyMap<string, Head>): Promise<Copied> {
  const heads = await verified(copy);
  const same = ({ seq, hash }: Head, other: Head | undefined) => other?.seq === seq && other.hash === hash;
  if (heads.size !== expected.size || ![...heads].every(([name, head]) => same(head, expected.get(name))))
    throw new Refusal('conflict', 'The journal of the copy does not end as that of the source does.');
  const rows = new Map<string, number>();
  const sum = async (table: PlainTable, states?: readonly string[]) => {
    let n = 0;
    for (const workspace of await copy.workspaces()) n += await copy.count(table, workspace, states);
    return n;
  };
  for (const table of PLAIN_TABLES) {
    const n = await sum(table);
    if (n > 0) rows.set(table.name, n);
  }
  const unfinished = JOB_STATES.filter((state) => !isOver(state));
  return {
    rows,
    heads,
    open: { jobs: await sum(plainOf(jobs), unfinished), messages: await sum(plainOf(outbox), ['queued']) },
  };
}
