import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer, Inbound } from '../../src/core/message.ts';
import { DAY } from '../../src/domain/clock.ts';
import { receipts } from '../../src/domain/records.ts';
import { tasks } from '../../src/domain/task.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { events, identity, onSlack, rows } from './support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

const send = (text: string, over: Partial<Inbound> = {}, who = 'ana'): Promise<Answer> =>
  h.run(who, text, { dedupeKey: 'k1', ...over });
const code = (answer: Answer) => answer.error?.code;
const titles = async () => (await rows(h, tasks)).map((task) => task.title);

describe('the same key again', () => {
  test('gets the first answer, whole, and changes nothing', async () => {
    const first = await send('task create one');
    h.clock.pass(DAY);
    const second = await send('task create one');
    expect(second).toEqual(first);
    expect(await titles()).toEqual(['one']);
  });

  test('gets a denial again, which was recorded once', async () => {
    const first = await send('task create one', {}, 'vic');
    expect(await send('task create one', {}, 'vic')).toEqual(first);
    expect(await events(h, /^command\.denied$/)).toHaveLength(1);
  });

  test('gets a refusal by the command again, though it would succeed by now', async () => {
    expect(code(await send('task show TSK-1'))).toBe('not_found');
    await h.run('ana', 'task create one');
    expect(code(await send('task show TSK-1'))).toBe('not_found');
  });

  test('is refused with another content', async () => {
    await send('task create one');
    expect(code(await send('task create two'))).toBe('key_reused');
    expect(
      code(await send('task create one', { body: { command: 'task.create', args: { title: 'one' } } })),
    ).toBe('key_reused');
    expect(await titles()).toEqual(['one']);
  });

  test('is a new key after 30 days', async () => {
    await send('task create one');
    h.clock.pass(30 * DAY - 1);
    expect(code(await send('task create two'))).toBe('key_reused');
    h.clock.pass(1);
    expect((await send('task create two')).status).toBe('ok');
    expect(await titles()).toEqual(['one', 'two']);
  });

  test('is another key from another sender or channel', async () => {
    await send('task create one');
    await send('task create two', {}, 'ben');
    await send('task create three', { channel: 'rest' });
    expect(await titles()).toEqual(['one', 'two', 'three']);
  });

  test('is one key for all keys and tokens of a person', async () => {
    const made = [await h.run('ana', 'key create desk'), await h.run('ana', 'key create lap')];
    for (const answer of made) {
      const { id } = answer.reply.data as { id: string };
      expect((await send('task create one', { channel: 'rest', from: identity('key', id) })).status).toBe(
        'ok',
      );
    }
    expect(await titles()).toEqual(['one']);
  });

  test('stays answered when the sender is linked to somebody in between', async () => {
    const over = onSlack('new');
    const first = await send('task create one', over);
    expect(code(first)).toBe('forbidden');
    await h.run('ana', 'person add eve --roles operator --identity slack:T1/UNEW');
    expect(await send('task create one', over)).toEqual(first);
    expect(await titles()).toEqual([]);
  });

  test('twice at once has one effect', async () => {
    const [first, second] = await Promise.all([send('task create one'), send('task create one')]);
    expect(second).toEqual(first);
    expect(await titles()).toEqual(['one']);
  });

  test('twice at once with other contents: one runs, one is refused', async () => {
    const answers = await Promise.all([send('task create one'), send('task create two')]);
    expect(answers.map(code)).toEqual([undefined, 'key_reused']);
  });
});

describe('a key is not consumed', () => {
  test('by what could not be read, where the sender reads the answer and mends it', async () => {
    expect(code(await send('task craete one'))).toBe('unknown_command');
    expect((await send('task create one')).status).toBe('ok');
  });

  test('by a rate limit', async () => {
    await h.close();
    h = await createHarness({ limits: { perSender: 1, perChannel: 9, perWorkspace: 9 } });
    await h.run('ana', 'status');
    expect(code(await send('task create one'))).toBe('rate_limited');
    expect(await rows(h, receipts)).toEqual([]);
  });

  test('but is by an answer that went out through the outbox, readable or not', async () => {
    const over = { ...onSlack('ana') };
    await send('task craete one', over);
    expect(await rows(h, receipts)).toHaveLength(1);
  });
});

test('a secret that was shown once is not shown again', async () => {
  const first = await send('key create desk', { channel: 'rest' });
  const key = /sb_[\w-]+/.exec(JSON.stringify(first))?.[0] ?? '';
  expect(key.length).toBeGreaterThan(40);
  const again = await send('key create desk', { channel: 'rest' });
  expect(again.status).toBe('ok');
  expect(JSON.stringify(again)).not.toContain(key);
  expect(JSON.stringify(again)).toContain('[redacted]');
  expect(JSON.stringify(await rows(h, receipts))).not.toContain(key);
});

test('a body that is no JSON value is refused before anything is looked up', async () => {
  const answer = await send('', { body: { command: 'task.create', args: { title: 'x\ud800' } } });
  expect(code(answer)).toBe('invalid_argument');
  expect(await rows(h, receipts)).toEqual([]);
});
