import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkMessage } from './blocks.ts';
import { startFakeSlack } from './index.ts';
import { sign } from './signing.ts';

async function start() {
  const slack = await startFakeSlack({
    signingSecret: 'fake-signing-secret',
    botToken: 'xoxb-fake',
    appToken: 'xapp-fake',
    teamId: 'T0TEAM001',
  });
  onTestFinished(() => slack.close());
  const call = async (method: string, params: object, token = 'xoxb-fake'): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(slack.apiUrl + method, {
      method: 'POST',
      headers,
      body: JSON.stringify(params),
    });
    return response.json();
  };
  return { slack, call };
}

test("it signs as Slack's documentation does", () => {
  // The example of docs.slack.dev/authentication/verifying-requests-from-slack.
  const body =
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
  expect(sign('8f742231b10e8888abcd99yyyzzz85a5', 1_531_420_618, body)).toBe(
    'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  );
});

describe('the Web API', () => {
  test.each([
    ['an unknown method', 'conversations.list', { channel: 'C1' }, /not a method/],
    ['a missing channel', 'chat.postMessage', { text: 'x' }, /channel is missing/],
    ['a missing fallback', 'chat.postMessage', { channel: 'C1', blocks: [] }, /text is missing/],
    ['an unknown parameter', 'chat.postMessage', { channel: 'C1', text: 'x', colour: 1 }, /colour/],
    ['a thread that is no id', 'chat.postMessage', { channel: 'C1', text: 'x', thread_ts: 'y' }, /thread_ts/],
    ['text that is not escaped', 'chat.postMessage', { channel: 'C1', text: '<!channel>' }, /not escaped/],
    ['a token in the body', 'chat.postMessage', { channel: 'C1', text: 'x', token: 'y' }, /token/],
  ])('notes %s', async (_, method, params, what) => {
    const { slack, call } = await start();
    await call(method, params);
    expect(() => slack.assertClean()).toThrow(what);
  });

  test('wants the right token for each method', async () => {
    const { call } = await start();
    expect(await call('auth.test', {}, 'xapp-fake')).toEqual({ ok: false, error: 'invalid_auth' });
    expect(await call('apps.connections.open', {}, 'xoxb-fake')).toEqual({
      ok: false,
      error: 'invalid_auth',
    });
    expect(await call('auth.test', {})).toMatchObject({ ok: true, team_id: 'T0TEAM001' });
  });
});

describe('Block Kit', () => {
  const text = { type: 'mrkdwn', text: 'x' };
  const button = { type: 'button', action_id: 'a', value: 'v', text: { type: 'plain_text', text: 'x' } };
  const actions = (...elements: object[]) => ({ type: 'actions', elements });

  test('takes what is right', () => {
    const blocks = [
      { type: 'section', text },
      actions(button),
      { type: 'context', elements: [text] },
      { type: 'divider' },
    ];
    expect(checkMessage({ text: 'x', blocks })).toEqual([]);
  });

  test.each([
    ['51 blocks', Array.from({ length: 51 }, () => ({ type: 'divider' }))],
    ['text is empty', [{ type: 'section', text: { ...text, text: 'x'.repeat(3_001) } }]],
    ['text is empty', [{ type: 'section', text: { ...text, text: ' \n' } }]],
    ['text is empty', [actions({ ...button, text: { type: 'plain_text', text: 'x'.repeat(76) } })]],
    ['value is empty', [actions({ ...button, value: 'x'.repeat(2_001) })]],
    ['action_id is empty', [actions({ ...button, action_id: 'x'.repeat(256) })]],
    ['action_id is not unique', [actions(button), actions(button)]],
    ['style', [actions({ ...button, style: 'loud' })]],
    ['not plain_text', [actions({ ...button, text })]],
    ['unknown type', [{ type: 'carousel' }]],
    ['unknown field', [{ type: 'divider', colour: 1 }]],
    ['elements', [actions()]],
    [
      'msg_blocks_too_long',
      Array.from({ length: 5 }, () => ({ type: 'section', text: { ...text, text: 'x'.repeat(3_000) } })),
    ],
  ])('refuses %s', (what, blocks) => {
    expect(checkMessage({ text: 'x', blocks }).join()).toContain(what);
  });
});

describe('deliveries', () => {
  async function app(answer: string | undefined): Promise<string> {
    const server = createServer((_, res) => {
      if (answer === undefined) res.end();
      else res.writeHead(200, { 'content-type': 'application/json' }).end(answer);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('note an acknowledgement that nobody would see', async () => {
    const { slack } = await start();
    slack.pointTo(await app('{"text":"lost"}'));
    await slack.event('x', { user: 'U1', channel: 'C1' });
    expect(() => slack.assertClean()).toThrow(/must be empty/);
  });

  test('note an answer to a command that Slack would refuse', async () => {
    const { slack } = await start();
    slack.pointTo(await app('{"text":"x","blocks":[{"type":"carousel"}]}'));
    await slack.slashCommand('x', { user: 'U1', channel: 'C1' });
    expect(() => slack.assertClean()).toThrow(/carousel/);
  });

  test('take a response_url five times', async () => {
    const { slack } = await start();
    let address = '';
    const server = createServer((req, res) => {
      void req.toArray().then((chunks) => {
        address = new URLSearchParams(Buffer.concat(chunks).toString()).get('response_url') ?? '';
        res.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    slack.pointTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await slack.slashCommand('x', { user: 'U1', channel: 'C1' });
    const headers = { 'content-type': 'application/json' };
    const statuses: number[] = [];
    for (let use = 0; use < 6; use += 1)
      statuses.push((await fetch(address, { method: 'POST', headers, body: '{"text":"x"}' })).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 404]);
    expect(() => slack.assertClean()).toThrow(/more than 5/);
  });
});
