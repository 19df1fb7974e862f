import type { JobRow } from '../../domain/job.ts';

// Keys of the outgoing messages about a job: `job:JOB-12:news:7-1767…`, `job:JOB-12:9:end`, `job:JOB-12:9:notify`, `job:JOB-12:answer:…`.

/** What the keys of all messages about a job begin with. */
export const aboutJob = ({ ref }: Pick<JobRow, 'ref'>): string => `job:${ref}:`;

/** By the instant, too: what a job logs leaves its version as it is. */
export const newsKey = (row: JobRow, at: Date): string =>
  `${aboutJob(row)}news:${row.version}-${at.getTime()}`;

/** By version: a job that is asked for again after its end ends again, and that may be in the same attempt. */
export const endKey = (row: JobRow): string => `${aboutJob(row)}${row.version}:end`;
export const notifyKey = (row: JobRow): string => `${aboutJob(row)}${row.version}:notify`;

/** Of an answer that is posted, and changes with the job from then on. */
export const answerKey = (ref: string, id: string): string => `${aboutJob({ ref })}answer:${id}`;

const TOLD = /^job:[^:]+:(?:answer|news):/;
const NEWS = /^job:[^:]+:news:/;
const REPORT = /^job:(JOB-\d+):\d+:(?:end|notify)$/;

/** Whether what comes of the job takes the place of a message of this key. */
export const changesWithJob = (key: string): boolean => TOLD.test(key);
export const isNews = (key: string): boolean => NEWS.test(key);

/** The job whose end a message of this key reports; undefined where it is about something else. */
export const reportedJob = (key: string): string | undefined => REPORT.exec(key)?.[1];
