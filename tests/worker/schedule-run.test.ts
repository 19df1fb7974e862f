import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOUR, MINUTE, SECOND } from '../../src/domain/clock.ts';
import { schedules } from '../../src/domain/schedule.ts';
import type { Patch } from '../../src/domain/table.ts';
import { tasks } from '../../src/domain/task.ts';
import { approval, events, identity, job, outgoing, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import { scheduling, type Scheduling } from './scheduling.ts';

let w: Scheduling;
const IN_SLACK = { origin: { channel: 'slack', to: 'C1' } } as const;
const told = async () =>
  Object.entries(await outgoing(w.h))
    .filter(([key]) => key.startsWith('schedule:'))
    .map(([, text]) => text);
const change = async (patch: Patch<typeof schedules>) => {
  const row = await w.schedule();
  await w.h.store.transaction('main', (tx) => tx.update(schedules, row, patch));
};

describe.each(DATABASES)('on %s, a scheduled command', (_name, open) => {
  beforeEach(async () => {
    w = await scheduling(open);
  });
  afterEach(() => w.close());

  describe('that its author may not run any more pauses the schedule', () => {
    test.each([
      [
        'a permission was taken away',
        'role revoke planner pia',
        'You may not run job run: it needs the permission job:run.',
      ],
      ['its author is gone', 'person remove pia', 'pia, who wrote SCH-1, is no longer known here'],
    ])('%s', async (_, text, reason) => {
      await w.hourly(IN_SLACK);
      expect((await w.h.run('ana', text)).status).toBe('ok');
      await w.after(HOUR);
      expect(await w.count()).toBe(0);
      expect(await w.schedule()).toMatchObject({ paused: true, lastOutcome: reason, runs: 1 });
      expect(await events(w.h, /^schedule\.refused$/)).toMatchObject([
        { target: 'SCH-1', details: { reason, paused: true } },
      ]);
      expect((await told())[0]).toContain(`SCH-1 (x) did not run at 2026-03-02T10:00:00.000Z: ${reason}`);
      await w.after(HOUR);
      expect(await events(w.h, /^schedule\.(?:refused|ran)$/)).toHaveLength(2);
    });

    test('a name that was given to somebody else is not its author', async () => {
      await w.hourly();
      await w.h.run('ana', 'person remove pia');
      w.h.clock.pass(MINUTE);
      await w.h.run('ana', 'person add pia --roles planner');
      await w.after(HOUR);
      expect(await w.count()).toBe(0);
      expect((await w.schedule()).paused).toBe(true);
    });

    test('the key that wrote it narrows what it may run', async () => {
      await w.hourly();
      await change({ scopes: ['task:*'] });
      await w.after(HOUR);
      expect(await w.schedule()).toMatchObject({ paused: true });
      expect(await w.count()).toBe(0);
    });
  });

  describe('that was written with a key', () => {
    const key = async (expires: string) => {
      const made = await w.h.run(
        'ana',
        `key create stolen --for pia --scopes job:* --scopes schedule:* --scopes runbook:* --expires ${expires}`,
      );
      const { id } = made.reply.data as { id: string };
      await w.hourly({ from: identity('key', id) });
      await w.after(HOUR);
      expect(await w.count()).toBe(1);
      return id;
    };
    const reason = 'the key that pia wrote SCH-1 with is revoked or over; write it anew';

    test('ends when it is revoked', async () => {
      const id = await key('9d');
      await w.h.run('ana', `key revoke ${id}`);
      await w.after(HOUR);
      expect(await w.count()).toBe(1);
      expect(await w.schedule()).toMatchObject({ paused: true, lastOutcome: reason });
    });

    test('ends when it is over', async () => {
      await key('90m');
      await w.after(HOUR);
      expect(await w.count()).toBe(1);
      expect(await w.schedule()).toMatchObject({ paused: true, lastOutcome: reason });
    });

    test('goes on with the one that takes its place, which says so', async () => {
      const id = await key('9d');
      const rotated = await w.h.run('ana', `key rotate ${id}`);
      expect(rotated.reply.text).toContain('Schedules that go on with it: SCH-1.');
      const { id: next } = rotated.reply.data as { id: string };
      await w.after(HOUR);
      expect(await w.count()).toBe(2);
      await w.h.run('ana', `key revoke ${next}`);
      await w.after(HOUR);
      expect(await w.count()).toBe(2);
    });
  });

  describe('that fails for another reason', () => {
    const gone = () => (w.h.catalog.runbooks as Map<string, never>).delete('restart');

    test('goes on with the next time', async () => {
      await w.hourly();
      gone();
      await w.after(HOUR);
      expect(await w.schedule()).toMatchObject({ paused: false, nextAt: new Date('2026-03-02T11:00:00Z') });
      expect((await w.schedule()).lastOutcome).toContain('There is no runbook restart.');
      expect(await events(w.h, /^schedule\.failed$/)).toHaveLength(1);
    });

    test('is told once an hour at most, and at once when it is paused', async () => {
      await w.add('x "job run restart" --cron "*/10 * * * * *"', IN_SLACK);
      gone();
      for (let n = 0; n < 30; n += 1) await w.after(10 * SECOND);
      expect(await events(w.h, /^schedule\.failed$/)).toHaveLength(30);
      expect(await told()).toHaveLength(1);
      await w.after(HOUR);
      expect(await told()).toHaveLength(2);
      await w.h.run('ana', 'role revoke planner pia');
      await w.after(10 * SECOND);
      expect((await told())[2]).toContain('It is paused');
    });

    test('is not run once it reads as another command, or one that is for people', async () => {
      await w.add('x "task create Retro" --cron "0 * * * *"');
      await change({ command: 'task.edit' });
      await w.after(HOUR);
      expect((await w.schedule()).lastOutcome).toBe('it would now be read as task.create; write it anew');
      await change({ text: 'approve APR-1', command: 'approval.approve', args: { id: 'APR-1' } });
      await w.after(HOUR);
      expect((await w.schedule()).lastOutcome).toBe(
        'it would now be read as approval.approve; write it anew',
      );
      expect(await rows(w.h, tasks)).toEqual([]);
    });
  });

  test('with words for times reads them at each time that is made up for', async () => {
    await w.add('x "task create Retro --due friday" --cron "0 9 * * mon" --missed all');
    await w.after(21 * 24 * HOUR);
    const due = (await rows(w.h, tasks, { orderBy: [{ column: 'id' }] })).map((task) =>
      task.due?.toISOString().slice(0, 10),
    );
    expect(due).toEqual(['2026-03-13', '2026-03-20', '2026-03-27']);
  });

  test('of a preset that somebody else put in its place is not theirs to approve', async () => {
    await w.h.run('pia', 'job preset add nightly deploy --env staging');
    await w.add('x "job run --preset nightly" --cron "0 * * * *"');
    await w.h.run('ben', 'job preset remove nightly');
    await w.h.run('ben', 'job preset add nightly deploy --env production');
    await w.after(HOUR);
    expect(await approval(w.h)).toMatchObject({ requester: 'pia', chain: ['pia', 'ben'] });
    expect((await w.h.run('ben', 'approve APR-1')).error?.code).toBe('forbidden');
    expect((await job(w.h)).state).toBe('waiting');
  });

  test('that a run had written carries on the causes of that run, and is stopped by depth', async () => {
    await w.h.run('pia', 'job run restart');
    let last = 'JOB-1';
    const seen: string[] = [];
    for (let n = 1; seen.at(-1) !== last; n += 1) {
      seen.push(last);
      const at = new Date(w.h.clock.now().getTime() + MINUTE).toISOString();
      await w.add(`again${n} "job run restart" --at ${at}`, { causes: [last] });
      await w.after(MINUTE);
      last = `JOB-${await w.count()}`;
    }
    expect(seen).toEqual(['JOB-1', 'JOB-2', 'JOB-3']);
    expect((await job(w.h, 'JOB-3')).causes).toEqual(['JOB-1', 'SCH-1', 'JOB-2', 'SCH-2']);
    expect((await w.schedule('again3')).lastOutcome).toContain('it may be starting itself');
  });
});
