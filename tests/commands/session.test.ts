import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDispatcher } from '../../src/core/dispatch.ts';
import { verified, type Address, type Answer, type Inbound } from '../../src/core/message.ts';
import { enqueue } from '../../src/core/outgoing.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import type { Json } from '../../src/domain/json.ts';
import { outbox } from '../../src/domain/records.ts';
import { identity } from '../core/support.ts';
import type { Harness } from '../support/harness.ts';
import { servicesOf } from '../worker/support.ts';
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

describe('help', () => {
  test('lists only what the caller may run', async () => {
    const admin = data(await run('help'))['commands'];
    const viewer = data(await run('help', 'vic'))['commands'];
    expect(admin).toEqual(expect.arrayContaining(['person.add', 'task.create', 'help']));
    expect(viewer).toEqual(expect.arrayContaining(['task.list', 'whoami']));
    expect(viewer).not.toContain('person.add');
    expect(viewer).not.toContain('task.create');
  });

  test('tells all about one command, a noun, and what is near', async () => {
    expect((await run('help task create')).reply.text).toContain('--priority');
    expect((await run('help task create', 'vic')).reply.text).toContain(
      'it needs the permission task:create',
    );
    expect(data(await run('help task', 'vic'))['commands']).toEqual(['task.list', 'task.show']);
    expect(data(await run('help preset'))['commands']).toContain('job.preset.add');
    const unknown = await run('help taks');
    expect(code(unknown)).toBe('not_found');
    expect(unknown.error?.suggestions).toContain('help task');
  });
});

describe('whoami', () => {
  test('tells who, where and how far', async () => {
    expect(data(await run('whoami', 'dan'))).toMatchObject({
      name: 'dan',
      roles: ['operator'],
      channel: 'terminal',
      identities: ['slack:T1/UDAN'],
    });
  });

  test('lists each permission once, however many roles give it', async () => {
    await run('role add second task:*');
    await run('role grant second dan');
    const { text } = (await run('whoami', 'dan')).reply;
    expect(text.match(/task:\*/g)).toEqual(['task:*']);
    expect((await run('person show dan')).reply.text.match(/task:\*/g)).toEqual(['task:*']);
    const lists = [data(await run('whoami', 'dan')), data(await run('person show dan'))];
    for (const { permissions } of lists)
      expect((permissions as string[]).filter((one) => one === 'task:*')).toEqual(['task:*']);
  });

  test('names what allows or denies', async () => {
    await run('role add nomove !task:move');
    await run('role grant nomove dan');
    const denied = await run('whoami --why "task move"', 'dan');
    expect(data(denied)).toMatchObject({ allowed: false, needs: 'task:move' });
    expect(denied.reply.text).toContain('role nomove denies it with !task:move');
    expect((await run('whoami --why task.move')).reply.text).toContain('role admin allows it with *');
    expect((await run('whoami --why person.add', 'vic')).reply.text).toContain('none of your roles (viewer)');
    const from = verified({
      workspace: 'main',
      channel: 'principal',
      subject: 'ana',
      assurance: 'key',
      scopes: ['job:*'],
    });
    expect((await run('whoami --why task.move', 'ana', { from })).reply.text).toContain('narrowed to job:*');
    expect((await run('whoami --why help')).reply.text).toContain('Everybody');
    expect(code(await run('whoami --why nonsense'))).toBe('not_found');
  });
});

test('status counts what the caller may read', async () => {
  expect(data(await run('status'))).toMatchObject({
    channels: {},
    counts: { tasks: { queued: 3, blocked: 1 }, jobs: { running: 0 }, approvals: { pending: 0 } },
  });
  await run('person add eve');
  expect(data(await run('status', 'eve'))['counts']).toEqual({});
});

describe('status', () => {
  const give = (key: string, address: Address, error?: string) =>
    harness.store.transaction('main', async (tx) => {
      await enqueue(tx, { key, address, reply: { text: key } });
      const row = await tx.get(outbox, { key });
      if (row && error !== undefined) await tx.update(outbox, row, { state: 'dead', error });
    });
  const line = async (who?: string) =>
    (await run('status', who)).reply.text.split('\n').filter((each) => each.startsWith('messages:'));

  test('tells which messages were given up, and why, to those who may read it', async () => {
    expect(await line()).toEqual(['messages: none']);
    const archived = 'Slack cannot deliver to C123: is_archived.';
    await give('k1', { channel: 'slack', to: 'C123' }, archived);
    await give('k2', { channel: 'slack', to: 'C123' });
    expect(await line()).toEqual(['messages: 1 given up (slack C123: is_archived), 1 queued']);
    await give('k3', { channel: 'email', to: 'a@example.test' }, 'its channel was off for two days');
    for (const n of [4, 5]) await give(`k${n}`, { channel: 'slack', to: 'C123' }, archived);
    expect(await line()).toEqual([
      'messages: 4 given up (slack 3, email 1; slack C123: is_archived; slack C123: is_archived; ' +
        'email a@example.test: its channel was off for two days; …), 1 queued',
    ]);
    expect(data(await run('status'))['messages']).toEqual({ dead: 4, queued: 1 });
    expect(await line('dan')).toEqual([]);
    expect(data(await run('status', 'dan'))).not.toHaveProperty('messages');
  });

  test('names channels that are deaf first', async () => {
    const slack = { state: 'deaf', reason: 'the token was revoked' };
    const health = () => ({ channels: { rest: { state: 'on' }, slack } });
    const receive = createDispatcher(servicesOf(harness, { health }));
    const answer = await receive({
      channel: 'terminal',
      from: identity('principal', 'ana'),
      body: { text: 'status' },
      conversation: 'c',
    });
    const [first, second] = answer.reply.text.split('\n');
    expect([first, second]).toEqual(['slack: deaf (the token was revoked)', 'rest: on']);
  });
});

describe('link', () => {
  const stranger: Partial<Inbound> = {
    channel: 'slack',
    from: verified({
      workspace: 'main',
      channel: 'slack',
      subject: 'T1/UNEW',
      assurance: 'slack',
      scopes: ['*'],
    }),
  };
  const askCode = async () =>
    / ([A-Z0-9]{5}-[A-Z0-9]{5})/.exec((await run('link', 'nobody', stranger)).reply.text)?.[1];

  test('ties an address with a code, once, and can be undone', async () => {
    const shown = await askCode();
    expect(code(await run('task list', 'nobody', stranger))).toBe('forbidden');
    expect((await run(`link ${shown}`, 'dan')).reply.text).toContain('link --remove slack:T1/UNEW');
    expect((await run('whoami', 'nobody', stranger)).reply.text).toContain('You are dan');
    expect(code(await run(`link ${shown}`, 'ben'))).toBe('not_found');
    expect((await run('link --remove slack:T1/UNEW', 'dan')).status).toBe('ok');
    expect(code(await run('whoami', 'nobody', stranger))).toBe('forbidden');
    expect(code(await run('link --remove slack:T1/UBEN', 'ben'))).toBe('conflict');
    expect(code(await run('link --remove slack:T1/UBEN', 'dan'))).toBe('not_found');
  });

  test('refuses a code that is over, a program, and a narrowed key', async () => {
    const shown = await askCode();
    expect(code(await run(`link ${shown}`, 'bot'))).toBe('forbidden');
    const from = verified({
      workspace: 'main',
      channel: 'principal',
      subject: 'dan',
      assurance: 'key',
      scopes: ['task:*'],
    });
    expect(code(await run(`link ${shown}`, 'dan', { from }))).toBe('forbidden');
    harness.clock.pass(15 * MINUTE);
    expect(code(await run(`link ${shown}`, 'dan'))).toBe('not_found');
  });
});

test('link takes a key that is not narrowed, even where it holds all that the roles give', async () => {
  const from = (...scopes: string[]): Partial<Inbound> => ({
    from: verified({ workspace: 'main', channel: 'principal', subject: 'vic', assurance: 'key', scopes }),
  });
  const { permissions } = data(await run('whoami', 'vic'));
  const held = permissions as string[];
  const slack = verified({
    workspace: 'main',
    channel: 'slack',
    subject: 'T1/UNEW',
    assurance: 'slack',
    scopes: ['*'],
  });
  const { text } = (await run('link', 'nobody', { channel: 'slack', from: slack })).reply;
  const shown = / ([A-Z0-9]{5}-[A-Z0-9]{5})/.exec(text)?.[1];
  const refused = await run(`link ${shown}`, 'vic', from(...held));
  expect(code(refused)).toBe('forbidden');
  expect(refused.reply.text).toContain('would reach further than the key you use');
  expect((await run(`link ${shown}`, 'vic', from('*'))).status).toBe('ok');
});

describe('yes and no', () => {
  const plain = 'please open a task to water the plants';

  test('yes runs what was read, once', async () => {
    expect((await run(plain)).status).toBe('needs_confirmation');
    expect(code(await run('task show TSK-5'))).toBe('not_found');
    expect((await run('yes')).reply.text).toContain('TSK-5');
    expect(code(await run('yes'))).toBe('not_found');
    expect(code(await run('task show TSK-6'))).toBe('not_found');
  });

  test('what holds a secret is not kept until then', async () => {
    const refused = await run(`please open a task to rotate ${['gh', 'p_', 'fake'.repeat(9)].join('')}`);
    expect(code(refused)).toBe('invalid_argument');
    expect(refused.reply.text).toContain('looks like a secret');
    expect(code(await run('yes'))).toBe('not_found');
  });

  test('no forgets it', async () => {
    await run(plain);
    expect((await run('no')).status).toBe('ok');
    expect(code(await run('yes'))).toBe('not_found');
  });

  test('belongs to one person, one conversation, ten minutes', async () => {
    const id = data(await run(plain))['confirm'] as string;
    expect(code(await run('yes', 'dan', { conversation: 'terminal:ana' }))).toBe('not_found');
    expect(code(await run(`yes ${id}`, 'dan'))).toBe('not_found');
    expect(code(await run('yes', 'ana', { conversation: 'elsewhere' }))).toBe('not_found');
    expect((await run(`yes ${id}`, 'ana', { conversation: 'elsewhere' })).status).toBe('ok');
    await run(plain);
    harness.clock.pass(10 * MINUTE);
    expect(code(await run('yes'))).toBe('not_found');
  });

  test('what may no longer run is refused at yes', async () => {
    await run('role revoke operator dan');
    await run('role add maker task:*');
    await run('role grant maker dan');
    await run(plain, 'dan');
    await run('role revoke maker dan');
    expect(code(await run('yes', 'dan'))).toBe('forbidden');
  });
});
