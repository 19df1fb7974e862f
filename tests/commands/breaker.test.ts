import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { breakers, type BreakerRow } from '../../src/domain/breaker.ts';
import { events } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';

let h: Harness;

const put = (id: string, over: Partial<BreakerRow> = {}) =>
  h.store.transaction('main', async (tx) => {
    const retryAt = new Date(tx.now.getTime() + 30_000);
    const open = { state: 'open', failures: 5, retryAt, trial: null, reason: 'status 503' } as const;
    await tx.insert(breakers, { id, ...open, changedAt: tx.now, ...over });
  });

describe.each(DATABASES)('on %s', (_database, open) => {
  beforeEach(async () => {
    h = await open();
  });
  afterEach(() => h.close());

  describe('breaker list', () => {
    test('tells which destinations are held off, until when and why', async () => {
      expect((await h.run('ana', 'breaker list')).reply.text).toBe('No destination fails.');
      await put('status.example.test:443');
      await put('api.example.test:80', { state: 'closed', failures: 1, retryAt: null });
      const { reply } = await h.run('ana', 'breaker list');
      expect(reply.text).toBe(
        'api.example.test:80 [closed] 1 failure in a row: status 503\n' +
          'status.example.test:443 [open] 5 failures in a row, next try 2026-03-02T09:00:30.000Z: status 503',
      );
      expect(reply.data).toMatchObject({ items: [{ failures: 1 }, { state: 'open' }], next: null });
    });

    test('shows many in pages, and says that there are more', async () => {
      for (const name of ['a', 'b', 'c']) await put(`${name}.example.test:80`);
      const first = await h.run('ana', 'breaker list --limit 2');
      expect(first.reply.text).toMatch(
        /^a\.[^]*\nb\.[^]*\nFor more: breaker list --after b\.example\.test:80$/,
      );
      const rest = await h.run('ana', 'breaker list --limit 2 --after b.example.test:80');
      expect(rest.reply.text).toMatch(/^c\.example/);
      expect(rest.reply.data).toMatchObject({ next: null });
    });
  });

  describe('breaker reset', () => {
    test('closes it, and is journalled with who did it', async () => {
      await put('status.example.test:443');
      const { reply } = await h.run('ana', 'breaker reset status.example.test:443');
      expect(reply).toMatchObject({
        text: 'The breaker of status.example.test:443 is closed.',
        data: { id: 'status.example.test:443', state: 'closed', failures: 0, retryAt: null },
      });
      expect(await events(h, /^breaker\./)).toMatchObject([
        { event: 'breaker.reset', actor: 'ana', target: 'status.example.test:443', details: { failures: 5 } },
      ]);
      expect((await h.run('ana', 'breaker list')).reply.text).toBe('No destination fails.');
      expect((await h.run('ana', 'breaker reset status.example.test:443')).error?.code).toBe('not_found');
    });

    test('is for administrators, of what there is', async () => {
      await put('status.example.test:443');
      expect((await h.run('ben', 'breaker reset status.example.test:443')).error?.code).toBe('forbidden');
      const answer = await h.run('ana', 'breaker reset status.example.test:80');
      expect(answer.error?.code).toBe('not_found');
      expect(answer.reply.text).toContain('status.example.test:443');
    });
  });

  test('every example reads alike in its pattern and JSON form, and runs', async () => {
    await put('status.example.test:443');
    const both = h.commands.all.filter(({ name }) => name.startsWith('breaker.'));
    for (const { text, json } of both.flatMap(({ examples }) => examples)) {
      const context = { now: h.clock.now(), who: 'ana' };
      expect((await h.language.read({ text }, context)).invocation).toEqual(json);
      expect((await h.run('ana', text)).status, text).toBe('ok');
    }
  });
});
