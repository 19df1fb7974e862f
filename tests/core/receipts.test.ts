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

describe('a first answer is for whoever may still ask for it', () => {
  const bearer = (id: string, ...scopes: string[]): Partial<Inbound> => ({
    channel: 'rest',
    from: identity('key', id, { scopes }),
  });
  const newKey = async (label: string) =>
    ((await h.run('ana', `key create ${label}`)).reply.data as { id: string }).id;
  const denials = () => events(h, /^command\.denied$/);

  test('not with another key of the same person that reaches less far: that is denied and journalled', async () => {
    const [wide, narrow] = [await newKey('wide'), await newKey('narrow')];
    const first = await send('task create secret', bearer(wide, '*'));
    expect(first.status).toBe('ok');
    const again = await send('task create secret', bearer(narrow, 'job:read'));
    expect(code(again)).toBe('forbidden');
    expect(again.reply.data).toBeUndefined();
    expect((await denials()).at(-1)).toMatchObject({ actor: 'ana', target: 'task.create' });
    expect(await send('task create secret', bearer(narrow, 'task:create'))).toEqual(first);
    expect(await titles()).toEqual(['secret']);
  });

  test('not after the role was taken away, and again once it is back', async () => {
    await h.run('ana', 'person add eve --roles operator');
    const first = await send('task create one', {}, 'eve');
    await h.run('ana', 'role revoke operator eve');
    expect(code(await send('task create one', {}, 'eve'))).toBe('forbidden');
    await h.run('ana', 'role grant operator eve');
    expect(await send('task create one', {}, 'eve')).toEqual(first);
    expect(await denials()).toHaveLength(1);
  });

  test('not from an address that is linked to nobody any more', async () => {
    await h.run('ana', 'person add eve --roles operator --identity slack:T1/UEVE');
    expect((await send('task create one', onSlack('eve'))).status).toBe('ok');
    await h.run('ana', 'person remove eve');
    expect(code(await send('task create one', onSlack('eve')))).toBe('forbidden');
    expect((await denials()).at(-1)).toMatchObject({ actor: 'slack:T1/UEVE', target: 'task.create' });
  });

  test('but a refusal tells nothing and is repeated to all of them', async () => {
    const [wide, narrow] = [await newKey('wide'), await newKey('narrow')];
    const first = await send('task show TSK-9', bearer(wide, '*'));
    expect(code(first)).toBe('not_found');
    expect(await send('task show TSK-9', bearer(narrow, 'job:read'))).toEqual(first);
    expect(await denials()).toEqual([]);
  });
});

describe('a key is not consumed', () => {
  test('by what could not be read, where the sender reads the answer and mends it', async () => {
    expect(code(await send('task craete one'))).toBe('unknown_command');
    expect((await send('task create one')).status).toBe('ok');
  });

  test('by a rate limit', async () => {
    await h.close();
    h = await createHarness({ limits: { perSender: 1, perChannel: 9, perWorkspace: 9, heartbeats: 9 } });
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

test('a code to link an address is in no receipt, and a repeat does not show it', async () => {
  const first = await send('link', onSlack('new'));
  const shown = /[A-Z0-9]{5}-[A-Z0-9]{5}/.exec(first.reply.text)?.[0];
  expect(shown).toBeDefined();
  expect(JSON.stringify(await rows(h, receipts))).not.toContain(shown);
  const again = await send('link', onSlack('new'));
  expect(again).toMatchObject({ status: 'ok', reply: { text: expect.stringContaining('sent already') } });
  expect(again.reply.text).not.toContain(shown);
  expect((await h.run('vic', `link ${shown}`)).status).toBe('ok');
});

test('a body that is no JSON value is refused before anything is looked up', async () => {
  const answer = await send('', { body: { command: 'task.create', args: { title: 'x\ud800' } } });
  expect(code(answer)).toBe('invalid_argument');
  expect(await rows(h, receipts)).toEqual([]);
});
