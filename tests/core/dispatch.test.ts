import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { command, type Command } from '../../src/core/command.ts';
import type { Answer, Inbound } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { outbox } from '../../src/domain/records.ts';
import { tasks } from '../../src/domain/task.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { events, identity, onSlack, outgoing, rows } from './support.ts';

const probe = (
  name: string,
  run: Command['run'],
  over: Partial<Pick<Command, 'risk' | 'needs'>> = {},
): Command =>
  command({
    name,
    summary: 'For this test.',
    args: z.object({}),
    needs: 'test:run',
    risk: 'write',
    examples: [{ text: name, json: { command: name, args: {} } }],
    run,
    ...over,
  });

const MORE: readonly Command[] = [
  probe('fails', async (ctx) => {
    await ctx.emit('test.half', 'x', {});
    throw new Refusal('conflict', 'It cannot be.');
  }),
  probe('crashes', async (ctx) => {
    await ctx.emit('test.half', 'x', {});
    throw new Error('password=hunter2 at /srv/secret');
  }),
  probe('waits', async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { text: 'late' };
  }),
  probe('forbids', async () => {
    throw new Refusal('forbidden', 'You may not because of the moon.');
  }),
  probe('asks', async (ctx) => {
    const answer = await ctx.invoke({ command: 'task.create', args: { title: 'Within' } });
    const refused = await ctx.invoke({ command: 'fails', args: {} });
    return { text: `${answer.status} ${refused.status}` };
  }),
  probe('unneeded', async () => ({ text: 'read' }), { risk: 'read', needs: 'none' }),
];

let h: Harness;
beforeEach(async () => {
  h = await createHarness({}, MORE);
});
afterEach(() => h.close());

const run = (who: string, text: string, over: Partial<Inbound> = {}): Promise<Answer> =>
  h.run(who, text, over);
const names = async () => (await h.entries()).map((e) => e.event);

describe('a command that lacks something', () => {
  const form = {
    label: 'Fill in',
    invocation: { command: 'task.create', args: { priority: 'P0' } },
  };

  test('offers whoever may run it a form', async () => {
    const answer = await run('ana', 'task create --priority P0');
    expect(answer).toMatchObject({
      error: { code: 'invalid_argument', argument: { name: 'title' } },
      reply: { text: expect.stringMatching(/^task create needs title/), form },
    });
    expect(await rows(h, tasks)).toEqual([]);
  });

  test('offers it in the answer that goes out as a message', async () => {
    await run('', 'task create --priority P0', { ...onSlack('ana'), dedupeKey: 'e1' });
    expect(await rows(h, outbox)).toMatchObject([{ reply: { reply: { form } } }]);
  });

  test.each([
    ['whoever may not run it', () => run('vic', 'task create')],
    ['a stranger', () => run('', 'task create', onSlack('eve'))],
    ['what was no text', () => h.run('ana', { command: 'task.create', args: {} })],
    ['what lacks nothing', () => run('ana', 'task create T --priority P9')],
    ['what holds a secret', () => run('ana', `task create --description "of xoxb-${'1'.repeat(12)}-abc"`)],
  ])('offers none to %s', async (_, ask) => {
    const answer = await ask();
    expect(answer.status).toBe('error');
    expect(answer.reply.form).toBeUndefined();
  });
});

describe('deny by default', () => {
  test('whoever lacks the permission changes nothing, and who, what, where and why is journalled', async () => {
    const answer = await run('', 'task create "Fix login"', {
      ...onSlack('vic'),
      correlationId: 'corr-7',
      cause: 'delivery-3',
    });
    expect(answer).toMatchObject({
      status: 'error',
      error: { code: 'forbidden' },
      invocation: { command: 'task.create', args: { title: 'Fix login' } },
      reply: { text: 'You may not run task create: it needs the permission task:create.' },
    });
    expect(await rows(h, tasks)).toEqual([]);
    expect((await events(h, /^command\./)).at(-1)).toMatchObject({
      event: 'command.denied',
      actor: 'vic',
      target: 'task.create',
      correlationId: 'corr-7',
      cause: 'delivery-3',
      details: {
        args: { title: 'Fix login' },
        reason: 'it needs the permission task:create',
        channel: 'slack',
        identity: 'slack:T1/UVIC',
        assurance: 'slack',
      },
    });
  });

  test('a command’s own refusal to allow is journalled as well, and said without a second full stop', async () => {
    const answer = await run('ana', 'forbids');
    expect(answer.reply.text).toBe('You may not run forbids: You may not because of the moon.');
    expect(await names()).toEqual(['config.applied', 'command.denied']);
  });

  test('a read is denied and journalled too, and when allowed leaves no entry', async () => {
    expect((await run('vic', 'audit search')).error?.code).toBe('forbidden');
    expect((await run('vic', 'task list')).status).toBe('ok');
    expect((await run('vic', 'unneeded')).status).toBe('ok');
    expect(await names()).toEqual(['config.applied', 'command.denied']);
  });

  test('a key’s scopes narrow what its owner may', async () => {
    const from = identity('principal', 'ana', { scopes: ['job:*'] });
    expect((await run('', 'task create x', { from })).error?.code).toBe('forbidden');
  });

  test('a runbook takes its own permission besides', async () => {
    await run('ana', 'role add starter job:*');
    await run('ana', 'person add eve --roles starter');
    const answer = await run('eve', 'job run restart');
    expect(answer.reply.text).toContain('it needs the permission runbook:restart');
  });

  test.each([
    ['a stranger on Slack', identity('slack', 'T1/UNOBODY', { assurance: 'slack' }), 'slack:T1/UNOBODY'],
    ['a name of another channel', identity('github', 'ana'), 'github:ana'],
    ['a source that is not configured', identity('source', 'ci'), 'source:ci'],
    ['a key that is not there', identity('key', 'k1'), 'key:k1'],
  ])('%s is told how to become known, and recorded with what was asked', async (_, from, actor) => {
    const answer = await run('', 'task create "Fix login"', { from, channel: 'slack' });
    expect(answer.error?.code).toBe('forbidden');
    expect((await h.entries()).at(-1)).toMatchObject({
      event: 'command.denied',
      actor,
      target: 'task.create',
      details: { channel: 'slack', reason: 'linked to nobody' },
    });
    await run('', 'gibberish here', { from, channel: 'slack' });
    expect((await h.entries()).at(-1)).toMatchObject({ event: 'command.denied', actor, target: 'unknown' });
  });

  test('somebody who was removed is nobody at once', async () => {
    await run('ana', 'person add eve --roles operator --identity slack:T1/UEVE');
    expect((await run('', 'task create x', onSlack('eve'))).status).toBe('ok');
    await run('ana', 'person remove eve');
    expect((await run('', 'task create y', onSlack('eve'))).error?.code).toBe('forbidden');
  });
});

describe('a command that changes something', () => {
  test('is recorded before the changes that it made, which name it as their cause', async () => {
    const answer = await run('ana', 'task create "Fix login"', { correlationId: 'corr-1' });
    const [accepted, created] = (await h.entries()).slice(-2);
    expect(accepted).toMatchObject({
      event: 'command.accepted',
      actor: 'ana',
      target: 'task.create',
      correlationId: 'corr-1',
      cause: answer.id,
      details: { args: { title: 'Fix login' }, channel: 'terminal', identity: 'principal:ana' },
    });
    expect(created).toMatchObject({ event: 'task.created', correlationId: 'corr-1', cause: accepted?.id });
  });

  test('takes its message’s id for a correlation id where none was given', async () => {
    const answer = await run('ana', 'task create x');
    expect(answer.correlationId).toBe(answer.id);
    expect((await h.entries()).at(-1)?.correlationId).toBe(answer.id);
  });

  test('that refuses leaves nothing behind, its own record included', async () => {
    const answer = await run('ana', 'fails');
    expect(answer).toMatchObject({ error: { code: 'conflict' }, invocation: { command: 'fails' } });
    expect(await names()).toEqual(['config.applied']);
  });

  test('that crashes leaves nothing behind and leaks nothing', async () => {
    const answer = await run('ana', 'crashes');
    expect(answer.error?.code).toBe('internal');
    expect(JSON.stringify(answer)).not.toMatch(/hunter2|secret/);
    expect(await names()).toEqual(['config.applied']);
    expect((await run('ana', 'task create x')).status).toBe('ok');
  });

  test('that waits for anything but the transaction is thrown out, and the next one runs', async () => {
    expect((await run('ana', 'waits')).error?.code).toBe('internal');
    expect((await run('ana', 'task create x')).status).toBe('ok');
  });

  test('may run another, and of one that refuses only that one’s writes are undone', async () => {
    expect((await run('ana', 'asks')).reply.text).toBe('ok error');
    expect((await names()).slice(1)).toEqual(['command.accepted', 'command.accepted', 'task.created']);
    expect(await rows(h, tasks)).toMatchObject([{ title: 'Within', createdBy: 'ana' }]);
  });
});

describe('an answer through the outbox', () => {
  test('is queued in the transaction of the effect', async () => {
    const answer = await run('', 'task create "Fix login"', { ...onSlack('ana'), dedupeKey: 'e1' });
    const [message] = await rows(h, outbox);
    expect(message).toMatchObject({
      channel: 'slack',
      lane: 'slack:C1',
      address: { channel: 'slack', to: 'C1', thread: '1.2' },
      reply: { reply: { text: answer.reply.text } },
      state: 'queued',
    });
  });

  test('tells what was meant where it could not be read, once for each delivery', async () => {
    const over = { ...onSlack('ana'), dedupeKey: 'e1' };
    await run('', 'task craete x', over);
    await run('', 'task craete x', over);
    const texts = Object.values(await outgoing(h));
    expect(texts).toHaveLength(1);
    expect(texts[0]).toMatch(/task create/);
  });

  test('that cannot be given leaves nothing', async () => {
    expect((await run('', 'crashes', onSlack('ana'))).error?.code).toBe('internal');
    expect(await outgoing(h)).toEqual({});
  });
});

test('a database that is away is said so, and the caller may try again', async () => {
  await h.store.close();
  expect(await run('ana', 'task create x')).toMatchObject({
    status: 'error',
    error: { code: 'unavailable', retryAfter: expect.any(Number) },
  });
});
