import { afterEach, beforeEach } from 'vitest';
import { MINUTE, SECOND } from '../../src/domain/clock.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { job } from '../core/support.ts';
import type { createHarness, Harness } from '../support/harness.ts';
import { testRunbook } from '../support/runbook.ts';

/** A runbook that programs elsewhere run. */
export const render = (over: Partial<Runbook> = {}): Runbook =>
  testRunbook({
    name: 'render',
    args: { type: 'object', properties: { scene: { type: 'string' } }, additionalProperties: false },
    timeout: 5 * MINUTE,
    capability: 'gpu',
    executor: { kind: 'remote' },
    ...over,
  });

/** A workspace with remote runbooks, made anew for each test, and `bot` as the program that runs them. */
export function remoteBench(create: typeof createHarness) {
  const bench = {
    h: undefined as unknown as Harness,
    async open(...runbooks: readonly Runbook[]) {
      bench.h = await create({ runbooks: new Map(runbooks.map((book) => [book.name, book])) });
    },
    /** In place of those that are there. */
    async reopen(...runbooks: readonly Runbook[]) {
      await bench.h.close();
      await bench.open(...runbooks);
    },
    say: (command: string, args: JsonObject, who = 'bot') =>
      bench.h.run(who, { command: `job.${command}`, args }),
    async items(args: JsonObject = {}, who = 'bot') {
      const { reply } = await bench.say('claim', { capabilities: ['gpu'], ...args }, who);
      return (reply.data as unknown as { items: { id: string; claim: string }[] }).items;
    },
    /** Claims the only job there is. */
    async claimed(text = 'job run render --scene "a b"') {
      await bench.h.run('ana', text);
      const [first] = await bench.items();
      return { id: first?.id ?? '', claim: first?.claim ?? '' };
    },
    /** A claim is over, nobody comes back for it in the time that is left for that, and the next look takes it back. */
    async lost() {
      bench.h.clock.pass(31 * SECOND);
      await bench.items();
      bench.h.clock.pass(3 * SECOND);
      return bench.items();
    },
    state: async (ref = 'JOB-1') => (await job(bench.h, ref)).state,
  };
  beforeEach(() =>
    bench.open(
      render(),
      render({ name: 'bake', permission: 'secret:bake' }),
      testRunbook({ name: 'restart' }),
    ),
  );
  afterEach(() => bench.h.close());
  return bench;
}
