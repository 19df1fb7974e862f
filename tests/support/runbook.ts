import { SECOND } from '../../src/domain/clock.ts';
import { DEFAULT_CAPABILITY, type Bounds, type Runbook, type Tries } from '../../src/domain/runbook.ts';

export const tries = (over: Partial<Tries> = {}): Tries => ({
  max: 2,
  backoff: SECOND,
  cap: 10 * SECOND,
  on: {},
  budget: undefined,
  ...over,
});

export const bounds = (over: Partial<Bounds> = {}): Bounds => ({
  logLines: 1_000,
  outputBytes: 100_000,
  steps: 100,
  concurrency: undefined,
  queued: undefined,
  ...over,
});

/** A runbook with every bound set, to be changed where a test needs it. */
export function testRunbook(over: Partial<Runbook> & { name: string }): Runbook {
  return {
    summary: `The ${over.name} runbook`,
    args: { type: 'object', properties: {}, additionalProperties: false },
    risk: 'write',
    permission: `runbook:${over.name}`,
    timeout: 10 * SECOND,
    tries: tries(),
    approval: undefined,
    bounds: bounds(),
    priority: 0,
    capability: DEFAULT_CAPABILITY,
    executor: { kind: 'shell', argv: ['node', '-e', 'console.log("hello")'], env: {} },
    ...over,
  };
}
