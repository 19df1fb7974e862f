import { Refusal } from './errors.ts';
import { bool, json, maybe, table, text, time, type Row } from './table.ts';

export const TASK_STATES = [
  'queued',
  'claimed',
  'in_progress',
  'review',
  'approved',
  'merging',
  'done',
  'blocked',
] as const;
export type TaskState = (typeof TASK_STATES)[number];
/** States that still want work, in the order of the line. */
export const OPEN_STATES = TASK_STATES.filter((state) => state !== 'done');
export const PRIORITIES = ['P0', 'P1', 'P2'] as const;
export type Priority = (typeof PRIORITIES)[number];

export interface ChecklistItem {
  readonly text: string;
  readonly done: boolean;
}

export const tasks = table('tasks', {
  /** `TSK-12`, or an imported id kept as it is. */
  ref: text(),
  title: text(),
  description: text(),
  state: text<TaskState>(),
  /** Where `unblock` returns to; null unless blocked. */
  blockedFrom: maybe(text<TaskState>()),
  blockedReason: maybe(text()),
  priority: text<Priority>(),
  owner: maybe(text()),
  labels: json<readonly string[]>(),
  checklist: json<readonly ChecklistItem[]>(),
  due: maybe(time()),
  createdBy: text(),
  createdAt: time(),
  updatedAt: time(),
  archived: bool(),
});

/** `task` waits for `dependsOn`; both are refs. */
export const dependencies = table('dependencies', { task: text(), dependsOn: text() });

export const comments = table('comments', { task: text(), author: text(), body: text(), at: time() });

export type TaskRow = Row<typeof tasks>;

/** Forward along the line, and back where work is returned; `blocked` is entered and left by its own verbs. */
const NEXT: Record<TaskState, readonly TaskState[]> = {
  queued: ['claimed', 'in_progress'],
  claimed: ['in_progress', 'queued'],
  in_progress: ['review', 'claimed', 'queued'],
  review: ['approved', 'in_progress'],
  approved: ['merging', 'review', 'done'],
  merging: ['done', 'review'],
  done: ['queued'],
  blocked: [],
};

export const mayMove = (from: TaskState, to: TaskState): boolean => NEXT[from].includes(to);

/** @throws Refusal `conflict` naming where the task can go from here. */
export function checkMove(from: TaskState, to: TaskState): void {
  if (mayMove(from, to)) return;
  const hint =
    from === 'blocked'
      ? 'it is blocked; use `task unblock` first'
      : to === 'blocked'
        ? 'use `task block --reason`'
        : `from ${from} it can go to ${NEXT[from].join(', ')}`;
  throw new Refusal('conflict', `A task cannot go from ${from} to ${to}: ${hint}.`);
}
