import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import type { Store } from '../../src/core/store.ts';
import { DAY, HOUR } from '../../src/domain/clock.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { schedules } from '../../src/domain/schedule.ts';
import { events, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import { testRunbook } from '../support/runbook.ts';
import { scheduling, type Scheduling } from './scheduling.ts';

/** A command with a fault of ours. */
const broken = command({
  name: 'task.break',
  summary: 'Breaks.',
  args: z.object({}),
  needs: 'task:update',
  risk: 'write',
  examples: [{ text: 'task break', json: { command: 'task.break', args: {} } }],
  run: async () => {
    throw new TypeError('broken inside');
  },
});

let w: Scheduling;

describe.each(DATABASES)('on %s', (_name, open) => {
  beforeEach(async () => {
    w = await scheduling(open, [broken]);
  });
  afterEach(() => w.close());

  describe('one schedule holds up no other', () => {
    test('with an answer that is cut within a character', async () => {
      const runbooks = w.h.catalog.runbooks as Map<string, Runbook>;
      const before = runbooks.get('restart') as Runbook;
      runbooks.set('restart', testRunbook({ name: 'restart', args: { type: 'object' } }));
      for (const pad of ['', 'x']) {
        const title = `${pad}${'😀'.repeat(140)}`;
        const run = { command: 'job.run', args: { runbook: 'restart', args: { [title]: title } } };
        const args = { name: `p${pad}`, run, cron: '0 * * * *' };
        expect((await w.h.run('pia', { command: 'schedule.add', args })).status).toBe('ok');
      }
      // Whose arguments are not taken any more.
      runbooks.set('restart', before);
      await w.hourly();
      await w.after(HOUR);
      expect(await w.count()).toBe(1);
      for (const row of await rows(w.h, schedules)) {
        expect(row).toMatchObject({ runs: 1, nextAt: new Date('2026-03-02T11:00:00Z') });
        expect(row.lastOutcome?.isWellFormed()).toBe(true);
        if (row.name !== 'x') expect(row.lastOutcome).toMatch(/😀.*…$/u);
      }
      expect(await events(w.h, /^schedule\.failed$/)).toHaveLength(2);
    });

    test('with a command that breaks: its time is used up, and told', async () => {
      await w.add('bad "task break" --cron "0 * * * *"', { origin: { channel: 'slack', to: 'C1' } });
      await w.hourly();
      await w.after(HOUR);
      expect(await w.count()).toBe(1);
      const reason = 'something went wrong inside; see the server log';
      expect(await w.schedule('bad')).toMatchObject({
        runs: 1,
        paused: false,
        lastOutcome: reason,
        nextAt: new Date('2026-03-02T11:00:00Z'),
      });
      const ended = (await events(w.h, /^schedule\.(?:ran|failed)$/)).filter((e) => e.target === 'SCH-1');
      expect(ended).toMatchObject([
        { event: 'schedule.ran' },
        { event: 'schedule.failed', details: { reason } },
      ]);
      expect(ended[1]?.cause).toBe(ended[0]?.id);
    });

    test('with a zone that is no more', async () => {
      await w.add('bad "task list" --cron "0 * * * *" --zone Europe/Berlin');
      await w.hourly();
      const row = await w.schedule('bad');
      await w.h.store.transaction('main', (tx) => tx.update(schedules, row, { zone: 'Mars/Base' }));
      await w.after(HOUR);
      await w.after(HOUR);
      expect(await w.count()).toBe(2);
    });
  });

  describe('a clock that ran ahead and came back', () => {
    test.each(['skip', 'one', 'all'])('silences nothing (--missed %s)', async (missed) => {
      await w.add(`x "job run restart" --cron "0 * * * *" --missed ${missed}`);
      await w.after(3_650 * DAY);
      const ran = await w.count();
      await w.after(-3_650 * DAY);
      expect((await w.schedule()).nextAt).toEqual(new Date('2026-03-02T10:00:00Z'));
      expect(await events(w.h, /^schedule\.put_right$/)).toMatchObject([
        { target: 'SCH-1', details: { nextAt: '2026-03-02T10:00:00.000Z' } },
      ]);
      await w.after(HOUR);
      expect(await w.count()).toBe(ran + 1);
    });

    test('of another process is seen by whoever takes over', async () => {
      await w.hourly();
      w.h.clock.pass(3_650 * DAY);
      await w.create().tick();
      w.h.clock.pass(-3_650 * DAY);
      await w.create().tick();
      expect((await w.schedule()).nextAt).toEqual(new Date('2026-03-02T10:00:00Z'));
    });

    test('repeats nothing that it ran within the day', async () => {
      await w.hourly();
      await w.after(HOUR);
      await w.after(-30 * 60_000);
      await w.after(30 * 60_000);
      expect(await w.count()).toBe(1);
      expect((await w.schedule()).nextAt).toEqual(new Date('2026-03-02T11:00:00Z'));
      await w.after(HOUR);
      expect(await w.count()).toBe(2);
    });
  });

  describe('between the look and the run', () => {
    /** A scheduler before whose next transaction something else happens. */
    const slow = (first: () => Promise<unknown>) => {
      let waiting = true;
      const store = new Proxy(w.h.store, {
        get(target, name) {
          const value = Reflect.get(target, name, target) as unknown;
          if (name === 'transaction')
            return async (...args: Parameters<Store['transaction']>) => {
              if (waiting) {
                waiting = false;
                await first();
              }
              return target.transaction(...args);
            };
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      return w.create({ store });
    };

    test.each(['pause', 'remove'])('%s holds', async (verb) => {
      await w.hourly();
      w.h.clock.pass(HOUR);
      await slow(() => w.h.run('pia', `schedule ${verb} x`)).tick();
      expect(await w.count()).toBe(0);
    });

    test('another scheduler was quicker', async () => {
      await w.hourly();
      w.h.clock.pass(HOUR);
      await slow(() => w.create().tick()).tick();
      expect(await w.count()).toBe(1);
      expect((await w.schedule()).runs).toBe(1);
    });
  });
});
