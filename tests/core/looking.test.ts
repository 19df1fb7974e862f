import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { command, type Command } from '../../src/core/command.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { events, identity } from './support.ts';

const reading = (name: string, run: Command['run']): Command =>
  command({
    name,
    summary: 'For this test.',
    args: z.object({}),
    needs: 'none',
    risk: 'read',
    examples: [{ text: name, json: { command: name, args: {} } }],
    run,
  });

let runs = 0;
const MORE: readonly Command[] = [
  reading('peeks', async (ctx) => {
    runs += 1;
    return { text: `${ctx.tx.workspace} ${ctx.now.toISOString()}` };
  }),
  reading('numbers', async (ctx) => {
    runs += 1;
    return { text: `number ${await ctx.tx.next('X')}` };
  }),
  reading('hides', async (ctx) => {
    runs += 1;
    const refused = await ctx.tx.next('X').catch(() => 'refused');
    return { text: `number ${refused}` };
  }),
];

describe.each(DATABASES)('what reads only, on %s', (database, create) => {
  let h: Harness;
  beforeEach(async () => {
    runs = 0;
    h = await create({}, MORE);
  });
  afterEach(() => h.close());

  test('waits for nobody who writes', async () => {
    const [read, transaction] = [vi.spyOn(h.store, 'read'), vi.spyOn(h.store, 'transaction')];
    expect(await h.run('ana', 'peeks')).toMatchObject({
      status: 'ok',
      reply: { text: `main ${h.clock.now().toISOString()}` },
    });
    expect(await h.run('ana', 'task list')).toMatchObject({ status: 'ok' });
    expect(read).toHaveBeenCalledTimes(2);
    // The embedded store has one way for both.
    if (database === 'PostgreSQL') expect(transaction).not.toHaveBeenCalled();
    expect(runs).toBe(1);
  });

  test('is run again in a transaction where it writes after all, also where it hides that', async () => {
    expect(await h.run('ana', 'numbers')).toMatchObject({ reply: { text: 'number 1' } });
    expect(await h.run('ana', 'hides')).toMatchObject({ reply: { text: 'number 2' } });
    expect(runs).toBe(4);
  });

  test('is recorded where it is denied', async () => {
    expect(await h.run('vic', 'audit search task.*')).toMatchObject({ error: { code: 'forbidden' } });
    const stranger = await h.run('ana', 'peeks', { from: identity('slack', 'T1/UNOBODY') });
    expect(stranger).toMatchObject({ error: { code: 'forbidden' } });
    expect((await events(h, /^command\.denied$/)).map(({ actor, target }) => [actor, target])).toEqual([
      ['vic', 'audit.search'],
      ['slack:T1/UNOBODY', 'peeks'],
    ]);
  });

  test('is answered once under its key, as everything is', async () => {
    const first = await h.run('ana', 'peeks', { dedupeKey: 'k' });
    expect(await h.run('ana', 'peeks', { dedupeKey: 'k' })).toEqual(first);
    expect(runs).toBe(1);
  });

  test('sees at once what was granted and taken', async () => {
    const may = async () => (await h.run('dan', 'subscription list')).status;
    await h.run('ana', 'person add dan --roles viewer');
    expect(await may()).toBe('error');
    for (let n = 0; n < 3; n += 1) {
      await h.run('ana', 'role grant operator @dan');
      expect(await may()).toBe('ok');
      await h.run('ana', 'role revoke operator @dan');
      expect(await may()).toBe('error');
    }
  });
});
