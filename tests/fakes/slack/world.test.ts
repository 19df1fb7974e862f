import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startFakeSlack } from './index.ts';

const ANA = 'UANA00001';
const button = { type: 'button', action_id: 'a', value: 'v', text: { type: 'plain_text', text: 'Go' } };
const blocks = [{ type: 'actions', elements: [button] }];

/** The fake with an app that takes everything, answers commands, and keeps what it got. */
async function start() {
  const secrets = { signingSecret: 'fake-signing-secret', botToken: 'xoxb-fake', appToken: 'xapp-fake' };
  const slack = await startFakeSlack({ ...secrets, teamId: 'T0TEAM001' });
  const bodies: string[] = [];
  const app = createServer((req, res) => {
    void req.toArray().then((chunks) => {
      const body = Buffer.concat(chunks).toString();
      bodies.push(body);
      if (!body.includes('command=')) return res.end();
      return res
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ text: 'only you', blocks }));
    });
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    app.close();
    await slack.close();
  });
  slack.pointTo(`http://127.0.0.1:${(app.address() as AddressInfo).port}`);
  slack.addUser({ id: ANA, name: 'Ana' });
  const send = async (url: string, content: object): Promise<unknown> => {
    const headers = { authorization: 'Bearer xoxb-fake', 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(content) });
    return response.headers.get('content-type') === 'application/json' ? response.json() : response.text();
  };
  return { slack, bodies, send };
}

test('it keeps in order what was typed, posted and updated', async () => {
  const { slack, send } = await start();
  let changes = 0;
  const unlisten = slack.onChange(() => (changes += 1));
  await slack.event('<@UBOT00001> hi', { user: ANA, channel: 'C1' });
  const posted = await send(`${slack.apiUrl}chat.postMessage`, { channel: 'C1', text: 'one' });
  const { ts } = posted as { ts: string };
  await send(`${slack.apiUrl}chat.update`, { channel: 'C1', ts, text: 'two' });
  expect(slack.state().messages).toMatchObject([
    { user: ANA, text: '<@UBOT00001> hi', channel: 'C1' },
    { user: 'UBOT00001', text: 'two', ts, edited: {} },
  ]);
  unlisten();
  await slack.event('<@UBOT00001> more', { user: ANA, channel: 'C1' });
  expect(changes).toBe(3);
});

test('a message to a user lands among the direct messages, and is updated there too', async () => {
  const { slack, bodies, send } = await start();
  const channel = slack.dmOf(ANA);
  await slack.directMessage('help', { user: ANA });
  const inner = { type: 'message', channel_type: 'im', channel, user: ANA, text: 'help' };
  expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ event: inner });
  const { ts } = (await send(`${slack.apiUrl}chat.postMessage`, { channel: ANA, text: 'one' })) as {
    ts: string;
  };
  expect(await send(`${slack.apiUrl}chat.update`, { channel, ts, text: 'two' })).toMatchObject({ ok: true });
  expect(slack.state().messages).toMatchObject([
    { channel, text: 'help' },
    { channel, text: 'two' },
  ]);
  expect(slack.messages[0]?.channel).toBe(ANA);
});

test('an answer is for the asker alone, and a click on it replaces it', async () => {
  const { slack, bodies, send } = await start();
  await slack.slashCommand('status', { user: ANA, channel: 'C1' });
  const [answer] = slack.state().messages;
  if (answer === undefined) throw new Error('The answer is not there.');
  expect(answer).toMatchObject({ ephemeralFor: ANA, text: 'only you', blocks, channel: 'C1' });
  await slack.clickButton(answer, 'a', ANA);
  const payload = new URLSearchParams(bodies[1]).get('payload') ?? '';
  const { response_url: address } = JSON.parse(payload) as { response_url: string };
  await send(address, { text: 'done', replace_original: true });
  await send(address, { text: 'besides' });
  expect(slack.state().messages).toMatchObject([
    { ts: answer.ts, text: 'done', blocks: [], ephemeralFor: ANA },
    { text: 'besides', ephemeralFor: ANA },
  ]);
  slack.assertClean();
});

test('it says what the app does not have yet', async () => {
  const { slack } = await start();
  await expect(slack.openHome(ANA)).rejects.toThrow('The app has no App Home yet.');
  await expect(slack.submitModal(ANA, {})).rejects.toThrow('The app has no modals yet.');
});
