import type { JobState, LogStream } from '../domain/job.ts';
import type { JournalEntry } from '../domain/journal.ts';
import type { Permission } from '../domain/permission.ts';
import { may } from '../domain/permission.ts';
import type { Principal } from '../domain/principal.ts';

/** A log line of a running job, as streams carry it. */
export interface LogLine {
  readonly job: string;
  readonly cursor: number;
  readonly stream: LogStream;
  readonly line: string;
}

/** The live reads of the journal and of job logs that streaming channels share: read once, handed to all. */
export interface Feed {
  /** Each journal entry of the workspace after its commit, in sequence, none twice. Returns the way to stop. */
  onEntry(workspace: string, listener: (entry: JournalEntry) => void): () => void;
  /** New log lines of every job of the workspace, in order per job. */
  onLog(workspace: string, listener: (line: LogLine) => void): () => void;
  /** Entries with `seq > after`, oldest first. */
  history(workspace: string, after: number, limit: number): Promise<JournalEntry[]>;
  /** Log lines of one job with `cursor > after`, oldest first. */
  logs(workspace: string, job: string, after: number, limit: number): Promise<LogLine[]>;
  /** The state of a job; undefined when there is none of this id. */
  jobState(workspace: string, job: string): Promise<JobState | undefined>;
  /** The newest sequence. */
  head(workspace: string): Promise<number>;
}

const NOUNS = new Set([
  'task',
  'job',
  'approval',
  'probe',
  'lease',
  'schedule',
  'subscription',
  'agent',
  'artifact',
  'breaker',
  'budget',
  'channel',
  'event',
]);

/** The permission that reading an event takes: the noun's own; everything else belongs to the auditors. */
export function readPermission(event: string): Permission {
  const noun = event.slice(0, event.indexOf('.'));
  return NOUNS.has(noun) ? `${noun}:read` : 'audit:read';
}

/** Applied at delivery, on every stream, subscription, search and card. */
export function mayRead(who: Principal, event: string): boolean {
  return may(who, readPermission(event));
}

/** Whether a topic pattern (`job.*`, `job.failed`, `*`) matches an event. */
export function topicMatches(pattern: string, event: string): boolean {
  if (pattern === '*' || pattern === event) return true;
  return pattern.endsWith('.*') && event.startsWith(pattern.slice(0, -1));
}
