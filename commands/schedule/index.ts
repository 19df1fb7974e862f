import { scheduleAdd } from './add.ts';
import { schedulePause, scheduleRemove, scheduleResume } from './change.ts';
import { scheduleList, scheduleShow } from './read.ts';

export const scheduleCommands = [
  scheduleAdd,
  scheduleList,
  scheduleShow,
  schedulePause,
  scheduleResume,
  scheduleRemove,
] as const;
