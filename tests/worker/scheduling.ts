import { expect } from 'vitest';
import type { Command } from '../../src/core/command.ts';
import type { Inbound } from '../../src/core/message.ts';
import { ownAlone } from '../../src/core/owned.ts';
import type { Services } from '../../src/core/services.ts';
import { jobs } from '../../src/domain/job.ts';
import { schedules } from '../../src/domain/schedule.ts';
import { Scheduler } from '../../src/worker/schedules.ts';
import { rows } from '../core/support.ts';
import type { createHarness } from '../support/harness.ts';
import { servicesOf } from './support.ts';

export type Scheduling = Awaited<ReturnType<typeof scheduling>>;

/** A scheduler, and pia, who may write schedules. The clock stands at 2026-03-02T09:00:00Z. */
export async function scheduling(open: typeof createHarness, more: readonly Command[] = []) {
  const h = await open({}, more);
  await h.run('ana', 'role add planner schedule:* job:* runbook:* task:*');
  await h.run('ana', 'person add pia --roles planner --identity slack:T1/UPIA');
  const create = (over: Partial<Services> = {}) =>
    new Scheduler({ services: servicesOf(h, over), workspace: 'main', own: ownAlone });
  const scheduler = create();
  const add = async (text: string, over: Partial<Inbound> = {}) => {
    const answer = await h.run('pia', `schedule add ${text}`, over);
    expect(answer.status, answer.reply.text).toBe('ok');
  };
  return {
    h,
    create,
    add,
    hourly: (over: Partial<Inbound> = {}) => add('x "job run restart" --cron "0 * * * *"', over),
    async after(milliseconds: number) {
      h.clock.pass(milliseconds);
      await scheduler.tick();
    },
    async schedule(name = 'x') {
      const [row] = await rows(h, schedules, { where: { name } });
      if (!row) throw new Error('no schedule');
      return row;
    },
    count: async () => (await rows(h, jobs)).length,
    async close() {
      await scheduler.stop();
      await h.close();
    },
  };
}
