import { jobCancel, jobRetry } from './change.ts';
import { jobList, jobShow, jobShowLogs } from './read.ts';
import { jobRun } from './run.ts';

export const jobCommands = [jobRun, jobList, jobShow, jobShowLogs, jobCancel, jobRetry] as const;
