/** Why a try failed; each class has a policy of its own. */
export type FailureClass =
  | 'timeout' // the bound of wall time, ours
  | 'network' // no connection, no whole answer
  | 'rate_limited' // 429, with or without Retry-After
  | 'server' // 5xx, and programs that say "try again later"
  | 'refused' // the far side understood and said no; a program that failed
  | 'lost' // the worker was lost or stopped while it ran
  | 'unexpected'; // a fault of our own
export const FAILURE_CLASSES = [
  'timeout',
  'network',
  'rate_limited',
  'server',
  'refused',
  'lost',
  'unexpected',
] as const satisfies readonly FailureClass[];

/** Which failures are worth another try, unless the runbook's `tries.on` says otherwise. */
export const PASSES: Readonly<Record<FailureClass, boolean>> = {
  timeout: true,
  network: true,
  rate_limited: true,
  server: true,
  refused: false,
  lost: true,
  unexpected: true,
};
