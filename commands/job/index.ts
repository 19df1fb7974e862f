import { jobCancel, jobRetry } from './change.ts';
import { jobContinue } from './continue.ts';
import { deadCommands } from './dead.ts';
import { jobEffects } from './effects.ts';
import { presetCommands } from './preset.ts';
import { jobList, jobShow, jobShowLogs } from './read.ts';
import { remoteCommands } from './remote.ts';
import { jobRun } from './run.ts';

export const jobCommands = [
  jobRun,
  jobList,
  jobShow,
  jobShowLogs,
  jobEffects,
  jobCancel,
  jobRetry,
  jobContinue,
  ...deadCommands,
  ...presetCommands,
  ...remoteCommands,
] as const;
