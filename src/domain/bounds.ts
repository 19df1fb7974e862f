import type { Outcome } from './job.ts';
import type { Bounds, Runbook } from './runbook.ts';

const WHAT = {
  'bounds.logLines': ({ logLines }: Bounds) => `${logLines} lines of output`,
  'bounds.outputBytes': ({ outputBytes }: Bounds) => `${outputBytes} bytes of output`,
};

/** How a try ends that met a bound of its runbook. */
export const overBound = (bound: keyof typeof WHAT, { bounds }: Pick<Runbook, 'bounds'>) =>
  ({
    kind: 'fail',
    failure: 'refused',
    bound,
    reason: `more than ${WHAT[bound](bounds)} (${bound})`,
  }) as const satisfies Outcome;

/** How a try ends that took longer than its runbook allows. */
export const overTime = ({ timeout }: Pick<Runbook, 'timeout'>) =>
  ({
    kind: 'retry',
    failure: 'timeout',
    bound: 'timeout',
    reason: `stopped after ${timeout} ms (timeout)`,
  }) as const satisfies Outcome;

/** What is said of steps that took longer together than their runbook allows. */
export const tooLong = ({ name, timeout }: Pick<Runbook, 'name' | 'timeout'>): string =>
  `${name} was stopped after ${timeout} ms (timeout)`;
