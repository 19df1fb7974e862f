import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Inbound } from '../../src/core/message.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { events, onSlack } from './support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

/** As ana, in an open call on Slack, with the people whom the text means by id. */
const say = (text: string, ...users: string[]) => {
  const { replyTo: _, ...ana } = onSlack('ana');
  const people = new Map(users.map((user) => [`<@${user}>`, `T1/${user}`]));
  return h.run('', text, { ...ana, people } satisfies Partial<Inbound>);
};
const args = async () => (await events(h, /^command\.accepted/)).at(-1)?.details['args'];

test('whoever is linked is called by their name here', async () => {
  const text = 'task create "Ask <@UCHO> about <@UBEN>" --owner <@UBEN>';
  const { invocation } = await say(text, 'UBEN', 'UCHO');
  expect(invocation?.args).toEqual({ title: 'Ask @cho about @ben', owner: 'ben' });
  expect(await args()).toEqual({ title: 'Ask @cho about @ben', owner: 'ben' });
});

test('in JSON and in plain language as well', async () => {
  const json = '{"command":"task.create","args":{"title":"x","owner":"<@UBEN>"}}';
  expect((await say(json, 'UBEN')).invocation?.args['owner']).toBe('ben');
  const said = await say('please open a task for <@UBEN> to fix login', 'UBEN');
  expect(said).toMatchObject({
    status: 'needs_confirmation',
    invocation: { args: { owner: 'ben' } },
  });
});

test('whoever is linked to nobody cannot be the person that is asked for', async () => {
  const answer = await say('task create x --owner <@UNEW>', 'UNEW');
  expect(answer.error?.code).toBe('invalid_argument');
  expect(answer.reply.text).toBe(
    'owner: <@UNEW> is linked to nobody here. They can send me `link`, or an administrator ties them: person link NAME slack:T1/UNEW',
  );
});

test('and is written about all the same', async () => {
  expect((await say('task create "Greet <@UNEW>"', 'UNEW')).invocation?.args['title']).toBe('Greet <@UNEW>');
});

test('is looked for on the sender’s own channel and team alone', async () => {
  const people = new Map([['<@UBEN>', 'T2/UBEN']]);
  const answer = await h.run('ana', 'task create x --owner <@UBEN>', { people });
  expect(answer.error?.code).toBe('invalid_argument');
});

test('what only looks like it means nobody', async () => {
  expect((await say('task create x --owner <@UBEN>')).error?.code).toBe('not_found');
});

test.each([
  'schedule add nightly "task create x --owner <@UNEW>" --cron "0 3 * * *"',
  '{"command":"schedule.add","args":{"name":"nightly","run":{"command":"task.create","args":{"title":"x","owner":"<@UNEW>"}},"cron":"0 3 * * *"}}',
])('whoever is linked to nobody is refused within a command among the arguments: %s', async (text) => {
  const answer = await say(text, 'UNEW');
  expect(answer.error?.code).toBe('invalid_argument');
  expect(answer.reply.text).toMatch(/^owner: <@UNEW> is linked to nobody here/);
});

test('within such a command people are called by their name, and written about', async () => {
  const text = 'schedule add nightly "task create \\"Greet <@UNEW>\\" --owner <@UBEN>" --cron "0 3 * * *"';
  const { invocation, status } = await say(text, 'UBEN', 'UNEW');
  expect(status).toBe('ok');
  expect(JSON.stringify(invocation?.args)).toContain('--owner @ben');
});
