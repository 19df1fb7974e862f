import type { Ctx } from '../../src/core/command.ts';
import { minute } from '../../src/core/approval-cards.ts';
import { jobActions } from '../../src/core/jobs/job-actions.ts';
import { jobView } from '../../src/core/jobs/job-json.ts';
import type { Action } from '../../src/core/message.ts';
import { clip } from '../../src/domain/clip.ts';
import { jobs } from '../../src/domain/job.ts';
import { may } from '../../src/domain/permission.ts';
import { probeStates, type Probe, type ProbeStateRow } from '../../src/domain/probe.ts';
import { mayMove, OPEN_STATES, tasks, type TaskRow } from '../../src/domain/task.ts';
import { jobLine } from '../job/view.ts';
import { probeView } from '../probe/view.ts';
import { taskLine, taskView } from '../task/view.ts';
import { allowed, partOf, SHOWN, type Part } from './home-part.ts';

/** The most urgent tasks, among which those that are due first come first. */
const SCANNED = 100;
/** Characters of a job's line, whose reason may be of any length. */
const LONGEST = 400;

/** The caller's open tasks: the most urgent first, among these what is due first, then the oldest. */
export async function tasksPart(ctx: Ctx): Promise<Part | undefined> {
  const { tx, who } = ctx;
  if (!may(who, 'task:read')) return undefined;
  const where = { owner: who.name, state: { in: OPEN_STATES }, archived: false };
  const found = await tx.find(tasks, {
    where,
    orderBy: [{ column: 'priority' }, { column: 'id' }],
    limit: SCANNED,
  });
  return partOf({
    title: 'Your tasks',
    none: 'No open task is yours.',
    rows: found.toSorted(byUrgency).slice(0, SHOWN),
    of: found.length < SCANNED ? found.length : await tx.count(tasks, where),
    item: (row) => ({ text: taskLine(row), actions: allowed(ctx, [taskAction(row)]) }),
    view: taskView,
  });
}

const byUrgency = (a: TaskRow, b: TaskRow): number => {
  if (a.priority !== b.priority) return a.priority < b.priority ? -1 : 1;
  const [due, other] = [a.due?.getTime() ?? Infinity, b.due?.getTime() ?? Infinity];
  if (due !== other) return due < other ? -1 : 1;
  return a.id < b.id ? -1 : 1;
};

/** What ends it, where it can be ended from here. */
function taskAction({ ref: id, state, checklist }: TaskRow): Action {
  const ready = mayMove(state, 'done') && checklist.every(({ done }) => done);
  return ready
    ? { label: 'Done', style: 'primary', invocation: { command: 'task.move', args: { id, to: 'done' } } }
    : { label: 'Show', invocation: { command: 'task.show', args: { id } } };
}

/** Whatever is not over, the newest first. */
export async function jobsPart(ctx: Ctx): Promise<Part | undefined> {
  const { tx, who } = ctx;
  if (!may(who, 'job:read')) return undefined;
  const where = { endedAt: null };
  const rows = await tx.find(jobs, {
    where,
    orderBy: [{ column: 'id', descending: true }],
    limit: SHOWN,
  });
  return partOf({
    title: 'Running jobs',
    none: 'No job is running.',
    rows,
    of: rows.length < SHOWN ? rows.length : await tx.count(jobs, where),
    item: (row) => ({
      text: clip(jobLine(row, ctx.now), LONGEST),
      actions: allowed(ctx, jobActions(row)),
    }),
    view: jobView,
  });
}

const RANK = { failed: 0, unknown: 1, ok: 2 } as const;

/** What each probe last saw, those that fail first. */
export async function probesPart(ctx: Ctx): Promise<Part | undefined> {
  const { tx, who, catalog } = ctx;
  if (!may(who, 'probe:read')) return undefined;
  const seen = new Map((await tx.find(probeStates)).map((row) => [row.id, row]));
  const stateOf = ({ name }: Probe) => seen.get(name)?.state ?? 'unknown';
  const probes = [...catalog.probes.values()].toSorted((a, b) => RANK[stateOf(a)] - RANK[stateOf(b)]);
  return partOf({
    title: 'Probes',
    none: 'The configuration defines no probes.',
    rows: probes.slice(0, SHOWN),
    of: probes.length,
    item: (probe) => ({
      text: probeLine(probe, seen.get(probe.name)),
      ...(stateOf(probe) !== 'ok' && { actions: allowed(ctx, [askAgain(probe)]) }),
    }),
    view: (probe) => probeView(probe, seen.get(probe.name)),
  });
}

const askAgain = ({ name: probe }: Probe): Action => ({
  label: 'Ask now',
  invocation: { command: 'probe.run', args: { probe } },
});

/** `api [failed] The API answers · since 2026-03-02 10:00 UTC · status: expected 200, got 503`. */
function probeLine({ name, summary }: Probe, row: ProbeStateRow | undefined): string {
  const since = row && `since ${minute(row.since)}`;
  const why = row && row.failures.length > 0 ? clip(row.failures.join('; '), LONGEST) : undefined;
  return [`${name} [${row?.state ?? 'unknown'}] ${summary}`, since, why].filter(Boolean).join(' · ');
}
