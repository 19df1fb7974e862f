import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Address, Reply } from '../../src/core/message.ts';
import { enqueue } from '../../src/core/outgoing.ts';
import { tellUndelivered, wordOf } from '../../src/core/undelivered.ts';
import { DAY } from '../../src/domain/clock.ts';
import { principals } from '../../src/domain/principal.ts';
import { outbox } from '../../src/domain/records.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { outgoing, rows } from './support.ts';

let h: Harness;

/** Gives a message up, as its delivery does when the place is gone. */
const giveUp = (
  key: string,
  address: Address,
  text = 'the news',
  error = 'is_archived',
  more: Partial<Reply> = {},
) =>
  h.store.transaction('main', async (tx) => {
    await enqueue(tx, { key, address, reply: { text, ...more } });
    const row = await tx.get(outbox, { key });
    if (!row) throw new Error(`no ${key}`);
    await tx.update(outbox, row, { state: 'dead', reply: {} });
    await tellUndelivered(tx, row, /^[a-z_]+$/.test(error) ? `Slack cannot deliver to C9: ${error}.` : error);
  });

/** The notices so far: to whom, and what. */
const notices = async () => {
  const texts = await outgoing(h);
  return (await rows(h, outbox, { orderBy: [{ column: 'id' }] }))
    .filter(({ key }) => key.startsWith('undelivered:'))
    .map(({ key, lane }) => [lane, texts[key]]);
};

const C9: Address = { channel: 'slack', to: 'C9' };
const asked = (user: string, to = 'C9'): Address => ({ channel: 'slack', to, context: { user } });

describe.each(DATABASES)('on %s', (_name, open) => {
  beforeEach(async () => {
    h = await open();
  });
  afterEach(async () => {
    await h.close();
  });

  test('the owner of a subscription whose place is gone is told, once a day', async () => {
    await h.run('ben', 'subscribe task.* --to slack:C9');
    await giveUp('sub:SUB-1:7', C9);
    const text =
      'SUB-1 cannot be told on slack:C9: is_archived. ' +
      'Invite the bot there or subscribe elsewhere; unsubscribe SUB-1 ends it.';
    expect(await notices()).toEqual([['slack:UBEN', text]]);
    h.clock.pass(DAY - 1);
    await giveUp('sub:SUB-1:8', C9);
    expect(await notices()).toHaveLength(1);
    h.clock.pass(1);
    await giveUp('sub:SUB-1:9', C9);
    expect(await notices()).toHaveLength(2);
  });

  test('where the place was their own, they are told at another of their addresses', async () => {
    await h.run('ben', 'subscribe task.* --to slack:UBEN');
    await giveUp('sub:SUB-1:7', { channel: 'slack', to: 'UBEN' }, 'x', 'user_not_found');
    await h.run('ben', 'subscribe task.* --to email:ben@example.test');
    const bounced = 'The mail server refused Ben@example.test.';
    await giveUp('sub:SUB-2:7', { channel: 'email', to: 'Ben@example.test' }, 'x', bounced);
    expect(await notices()).toMatchObject([
      ['email:ben@example.test', expect.stringContaining('slack:UBEN: user_not_found.') as string],
      ['slack:UBEN', expect.stringMatching(/refused Ben@example\.test\. Subscribe elsewhere;/) as string],
    ]);
  });

  test('nobody is told of one whose owner is gone, or that was ended meanwhile', async () => {
    await h.run('ben', 'subscribe task.* --to slack:C9');
    await h.store.transaction('main', async (tx) => {
      const row = await tx.get(principals, { name: 'ben' });
      if (row) await tx.update(principals, row, { disabled: true });
    });
    await giveUp('sub:SUB-1:7', C9);
    await giveUp('sub:SUB-9:7', C9);
    expect(await notices()).toEqual([]);
  });

  test('what was laid out is said in words, which begin with where it could not stand', async () => {
    const reply = { text: 'APR-1: ana asks to run', card: { title: 'APR-1: ana asks to run' } };
    const key = 'reply:2';
    await h.store.transaction('main', async (tx) => {
      await enqueue(tx, { key, address: asked('U77'), reply });
      const row = await tx.get(outbox, { key });
      if (row) await tellUndelivered(tx, row, 'Slack cannot deliver to C9: not_in_channel.');
    });
    const notice = (await rows(h, outbox)).find((row) => row.key.startsWith('undelivered:'));
    expect(notice?.reply).toEqual({
      reply: { text: 'I cannot post in that channel (not_in_channel):\nAPR-1: ana asks to run' },
    });
  });

  test('who asked is told in private what could not be said', async () => {
    await giveUp('reply:1', asked('U77'), 'TSK-1 was created.', 'not_in_channel');
    expect(await notices()).toEqual([
      ['slack:U77', 'I cannot post in that channel (not_in_channel):\nTSK-1 was created.'],
    ]);
  });

  test('with what can be done about it, but no request is decided where it is not shown letter by letter', async () => {
    const actions = [{ label: 'Go', invocation: { command: 'status', args: {} } }];
    const card = { title: 'APR-1', exact: 'job run deploy' };
    await giveUp('reply:1', asked('U77'), 'one', 'not_in_channel', { actions, card });
    await giveUp('reply:2', asked('U77'), 'two', 'not_in_channel', { actions, card, approval: 'APR-1' });
    const told = (await rows(h, outbox)).filter(({ key }) => key.startsWith('undelivered:'));
    const replies = told.map(({ reply }) => (reply as { reply: Reply }).reply);
    expect(replies.map((reply) => [reply.card, reply.actions?.length])).toEqual([
      [undefined, 1],
      [undefined, undefined],
    ]);
  });

  test('a notice that is given up itself tells nobody', async () => {
    await giveUp('reply:1', asked('U77'));
    const [notice] = (await rows(h, outbox)).filter(({ key }) => key.startsWith('undelivered:'));
    await giveUp('undelivered:again', asked('U77'));
    expect(await notices()).toHaveLength(2);
    expect(notice?.address).toEqual({ channel: 'slack', to: 'U77' });
  });

  test.each([
    ['was given up in their own direct conversation', 'reply:1', asked('U77', 'U77')],
    ['is only how far a job has come', 'job:JOB-1:news:3-17', asked('U77')],
    ['names nobody whom Slack knows', 'reply:1', asked('C1 <!channel>')],
    [
      'was no mail of theirs',
      'reply:1',
      { channel: 'email', to: 'a@example.test', context: { user: 'U77' } },
    ],
  ] as const)('nobody is told of a message that %s', async (_what, key, address) => {
    await giveUp(key, address);
    expect(await notices()).toEqual([]);
  });
});

test.each([
  ['Slack cannot deliver to C1: is_archived.', 'is_archived'],
  ['The mail server refused a@example.test.', 'The mail server refused a@example.test'],
  ['its channel was off for two days', 'its channel was off for two days'],
])('%j is told as %j', (error, word) => {
  expect(wordOf(error)).toBe(word);
});
