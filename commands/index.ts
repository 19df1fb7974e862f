import type { Command } from '../src/core/command.ts';
import { approvalCommands } from './approval/index.ts';
import { artifactCommands } from './artifact/index.ts';
import { auditCommands } from './audit/index.ts';
import { breakerCommands } from './breaker.ts';
import { eventCommands } from './event.ts';
import { jobCommands } from './job/index.ts';
import { keyCommands } from './key/index.ts';
import { personCommands } from './person/index.ts';
import { probeCommands } from './probe/index.ts';
import { roleCommands } from './role/index.ts';
import { scheduleCommands } from './schedule/index.ts';
import { sessionCommands } from './session/index.ts';
import { subscriptionCommands } from './subscription.ts';
import { taskCommands } from './task/index.ts';
import { usageCommands } from './usage.ts';

/** Every command there is, noun by noun, in the order `help` shows them. */
export const commands: readonly Command[] = [
  ...taskCommands,
  ...jobCommands,
  ...artifactCommands,
  ...usageCommands,
  ...approvalCommands,
  ...probeCommands,
  ...scheduleCommands,
  ...breakerCommands,
  ...subscriptionCommands,
  ...eventCommands,
  ...auditCommands,
  ...personCommands,
  ...roleCommands,
  ...keyCommands,
  ...sessionCommands,
];
