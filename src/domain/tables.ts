import { approvals, voteTokens, votes } from './approval.ts';
import { artifacts } from './artifact.ts';
import { breakers } from './breaker.ts';
import { claims } from './claim.ts';
import { jobLogs, jobs } from './job.ts';
import { journal } from './journal.ts';
import { outages } from './outage.ts';
import { identities, keys, principals, roles } from './principal.ts';
import { probeStates } from './probe.ts';
import {
  confirmations,
  deadLetters,
  effects,
  homes,
  leases,
  linkCodes,
  mailboxes,
  outbox,
  presets,
  receipts,
  refreshTokens,
  signingKeys,
  subscriptions,
  tickets,
  usageTotals,
} from './records.ts';
import { schedules } from './schedule.ts';
import { jobSteps } from './step.ts';
import type { Table } from './table.ts';
import { comments, dependencies, tasks } from './task.ts';

/** Every table there is, for what goes over all of them: copies and the checks of the schemas. */
export const TABLES: readonly Table[] = [
  journal,
  principals,
  identities,
  roles,
  keys,
  signingKeys,
  refreshTokens,
  tickets,
  linkCodes,
  receipts,
  confirmations,
  tasks,
  dependencies,
  comments,
  jobs,
  jobSteps,
  jobLogs,
  claims,
  deadLetters,
  effects,
  artifacts,
  presets,
  schedules,
  breakers,
  usageTotals,
  approvals,
  votes,
  voteTokens,
  probeStates,
  subscriptions,
  outbox,
  outages,
  mailboxes,
  homes,
  leases,
];
