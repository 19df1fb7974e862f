import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer, Inbound } from '../../src/core/message.ts';
import type { Json } from '../../src/domain/json.ts';
import { subscriptions } from '../../src/domain/records.ts';
import type { Harness } from '../support/harness.ts';
import { seeded } from './seed.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await seeded();
});
afterEach(() => harness.close());

const run = (text: string, who = 'ana', over: Partial<Inbound> = {}): Promise<Answer> =>
  harness.run(who, text, over);
const data = (answer: Answer): Record<string, Json> => answer.reply.data as Record<string, Json>;
const code = (answer: Answer) => answer.error?.code;
const inThread: Partial<Inbound> = {
  channel: 'slack',
  replyTo: {
    channel: 'slack',
    to: 'C9',
    thread: '1.2',
    context: { response_url: 'https://slack.example.test/x' },
  },
};

describe('subscribe', () => {
  test('keeps the lasting address and begins behind its own entry', async () => {
    expect(data(await run('subscribe job.* job.*', 'dan', inThread))).toMatchObject({
      id: 'SUB-2',
      patterns: ['job.*'],
      to: 'slack:C9',
      thread: '1.2',
    });
    const row = await harness.store.transaction('main', (tx) => tx.get(subscriptions, { ref: 'SUB-2' }));
    const told = (await harness.entries()).findLast((e) => e.event === 'subscription.created');
    expect(row).toMatchObject({ address: { channel: 'slack', to: 'C9', thread: '1.2' }, cursor: told?.seq });
  });

  test('needs an address, a pattern that makes sense and one that may be read', async () => {
    expect(code(await run('subscribe job.*'))).toBe('conflict');
    expect(code(await run('subscribe Job.Failed --to slack:C1'))).toBe('invalid_argument');
    expect(code(await run('subscribe job.* --to irc:room'))).toBe('invalid_argument');
    expect(code(await run('subscribe person.* --to slack:C1', 'dan'))).toBe('forbidden');
    expect((await run('subscribe * --to slack:C1', 'dan')).status).toBe('ok');
  });

  test('is told at the prompt that asked for it, and ends there', async () => {
    const atPrompt: Partial<Inbound> = { origin: { channel: 'terminal', to: 'prompt' } };
    expect(data(await run('subscribe job.*', 'ana', atPrompt))).toMatchObject({ to: 'terminal:prompt' });
    expect(code(await run('subscribe job.* --to terminal:prompt'))).toBe('invalid_argument');
    expect(data(await run('unsubscribe', 'ana', atPrompt))['removed']).toEqual(['SUB-2']);
  });

  test('mails and direct messages go to oneself, or take subscription:admin', async () => {
    await run('role add reader subscription:create subscription:read job:read');
    await run('person add eve --roles reader --identity email:eve@example.test --identity slack:T1/UEVE');
    expect(code(await run('subscribe job.* --to email:ben@example.test', 'eve'))).toBe('forbidden');
    expect(code(await run('subscribe job.* --to slack:UBEN', 'eve'))).toBe('forbidden');
    expect((await run('subscribe job.* --to email:Eve@example.test', 'eve')).status).toBe('ok');
    expect((await run('subscribe job.* --to slack:UEVE', 'eve')).status).toBe('ok');
    expect((await run('subscribe job.* --to email:ben@example.test')).status).toBe('ok');
  });

  test('takes a channel by the name that Slack explained, and keeps its id', async () => {
    const places = new Map([
      ['#ops', 'slack:C0OPS0001'],
      ['<#G2>', 'slack:G2'],
    ]);
    const answer = await run('subscribe job.failed probe.* --to #ops', 'dan', { ...inThread, places });
    expect(answer.reply.text).toBe('SUB-2: job.failed, probe.* will be told on #ops (slack:C0OPS0001).');
    expect(data(answer)).toMatchObject({ to: 'slack:C0OPS0001', thread: null });
    expect(answer.invocation?.args['to']).toBe('slack:C0OPS0001');
    const told = (await harness.entries()).filter((e) => e.event !== 'audit.checkpoint').slice(-2);
    expect(told.map((e) => [e.event, e.details])).toMatchObject([
      ['command.accepted', { args: { to: 'slack:C0OPS0001' } }],
      ['subscription.created', { to: 'slack:C0OPS0001', place: '#ops' }],
    ]);
    const unnamed = await run('subscribe job.* --to <#G2>', 'dan', { ...inThread, places });
    expect(unnamed.reply.text).toBe('SUB-3: job.* will be told on slack:G2.');
  });

  test.each(['#ops', '<#C1>'])('refuses %s where nobody said which channel that is', async (to) => {
    const answer = await run(`subscribe job.* --to ${to}`, 'dan');
    expect(code(answer)).toBe('invalid_argument');
    expect(answer.reply.text).toMatch(/is only a name here.*--to slack:C123/);
  });

  test('is bounded', async () => {
    for (let i = 0; i < 49; i += 1) await run('subscribe job.* --to slack:C1');
    expect(code(await run('subscribe job.* --to slack:C1'))).toBe('conflict');
  });
});

test('unsubscribe removes one by id, or all of this conversation', async () => {
  await run('subscribe job.*', 'dan', inThread);
  await run('subscribe task.*', 'dan', inThread);
  expect(code(await run('unsubscribe SUB-1', 'vic'))).toBe('forbidden');
  await run('role add reader subscription:create');
  await run('person add eve --roles reader');
  expect(code(await run('unsubscribe SUB-1', 'eve'))).toBe('not_found');
  expect(data(await run('unsubscribe', 'dan', inThread))['removed']).toEqual(['SUB-2', 'SUB-3']);
  expect(code(await run('unsubscribe', 'dan', inThread))).toBe('not_found');
  expect((await run('unsubscribe SUB-1')).status).toBe('ok');
});

test('subscription list shows one’s own, or all with permission', async () => {
  await run('subscribe task.* --to slack:C2', 'dan');
  const ids = (answer: Answer) => (data(answer)['items'] as { id: string }[]).map((item) => item.id);
  expect(ids(await run('subscription list', 'dan'))).toEqual(['SUB-2']);
  expect(ids(await run('subscription list --all'))).toEqual(['SUB-1', 'SUB-2']);
  await run('role add reader subscription:read');
  await run('person add eve --roles reader');
  expect(code(await run('subscription list --all', 'eve'))).toBe('forbidden');
});
