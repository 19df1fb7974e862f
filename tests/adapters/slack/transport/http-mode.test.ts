import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sign } from '../../../fakes/slack/signing.ts';
import { CHANNEL, NOW, prepare, SECRET, setUp, TEAM } from '../support.ts';

const WHO = { user: 'U1', channel: CHANNEL };
const FORM = 'application/x-www-form-urlencoded';

describe('the signature', () => {
  test.each([
    ['forged', { signature: 'v0=' + 'a'.repeat(64) }],
    ['of another length', { signature: 'v0=abc' }],
    ['of another version', { signature: `v1=${'a'.repeat(64)}` }],
    ['empty', { signature: '' }],
    ['absent', { signature: null }],
    ['stale', { timestampOffset: -301 }],
    ['from the future', { timestampOffset: 301 }],
    ['an hour ahead', { timestampOffset: 3_600 }],
    ['without a number for its time', { timestampOffset: Number.NaN }],
  ])('%s is refused', async (_, how) => {
    let refused = 0;
    const { slack, received } = await setUp('http', { onRefused: () => void (refused += 1) });
    expect((await slack.slashCommand('status', { ...WHO, ...how })).status).toBe(401);
    expect((await slack.event('status', { ...WHO, ...how })).status).toBe(401);
    expect(received).toEqual([]);
    expect(refused).toBe(2);
  });

  test.each([-299, 299])('%i seconds off is accepted', async (timestampOffset) => {
    const { slack, received } = await setUp('http');
    expect((await slack.slashCommand('status', { ...WHO, timestampOffset })).status).toBe(200);
    expect(received).toHaveLength(1);
  });

  test('of one body does not fit another', async () => {
    const { slack } = await setUp('http');
    const signature = sign(SECRET, NOW.getTime() / 1_000, 'text=status');
    expect((await slack.post(FORM, 'text=audit', { signature })).status).toBe(401);
  });

  test('a captured request is refused once its time is over', async () => {
    const { slack, clock } = await setUp('http');
    const signature = sign(SECRET, NOW.getTime() / 1_000, 'x');
    clock.at = new Date(NOW.getTime() + 301_000);
    expect((await slack.post(FORM, 'x', { signature, timestampOffset: -301 })).status).toBe(401);
  });
});

describe('the body', () => {
  test.each([
    ['application/json', '{'],
    ['application/json', '[]'],
    ['application/json', 'null'],
    ['application/json', ''],
    [FORM, 'payload=%7B'],
    ['text/plain', 'hello'],
  ])('%s %s is malformed', async (type, body) => {
    const { slack, received } = await setUp('http');
    expect((await slack.post(type, body)).status).toBe(400);
    expect(received).toEqual([]);
  });

  test('of 5 MB is too large', async () => {
    const { slack } = await setUp('http');
    expect((await slack.post(FORM, `text=${'a'.repeat(5_000_000)}`)).status).toBe(413);
  });

  test('that is compressed is refused', async () => {
    const { eventsUrl } = await setUp('http');
    const response = await fetch(eventsUrl, {
      method: 'POST',
      body: new Uint8Array(gzipSync('text=status')),
      headers: { 'content-encoding': 'gzip', 'content-type': FORM },
    });
    expect(response.status).toBe(415);
  });

  test.each([
    ['no team', '{"type":"event_callback","event_id":"E1","event":{"type":"app_mention"}}', 403],
    ['a user that is a number', JSON.stringify({ type: 'block_actions', team: { id: TEAM }, user: 7 }), 200],
    ['an unknown type', JSON.stringify({ type: 'surprise', team_id: TEAM }), 200],
    [
      'a mention without a sender',
      JSON.stringify({
        type: 'event_callback',
        team_id: TEAM,
        event_id: 'E1',
        event: { type: 'app_mention' },
      }),
      200,
    ],
  ])('with %s does no harm', async (_, body, status) => {
    const { slack, received } = await setUp('http');
    expect((await slack.post('application/json', body)).status).toBe(status);
    expect(received).toEqual([]);
  });

  test('a command without a trigger is answered, not run', async () => {
    const { slack, received } = await setUp('http');
    const taken = await slack.post(FORM, `team_id=${TEAM}&command=%2Fsignalbox&text=status&user_id=U1`);
    expect(taken.body).toMatchObject({ text: expect.stringContaining('cannot be read') as string });
    expect(received).toEqual([]);
  });

  test('a very long command arrives whole', async () => {
    const { slack, received } = await setUp('http');
    const text = `task create "${'é'.repeat(20_000)}"`;
    await slack.slashCommand(text, WHO);
    expect(received[0]?.body).toEqual({ text });
  });
});

describe('set-up requests', () => {
  test('the URL check is answered, when it is signed', async () => {
    const { slack } = await setUp('http');
    const body = JSON.stringify({ type: 'url_verification', challenge: 'abc', token: 'x' });
    expect(await slack.post('application/json', body)).toMatchObject({
      status: 200,
      body: { challenge: 'abc' },
    });
    expect((await slack.post('application/json', body, { signature: 'v0=00' })).status).toBe(401);
  });

  test('the certificate check is answered and nothing smuggled with it runs', async () => {
    const { slack, received } = await setUp('http');
    const body = `ssl_check=1&team_id=${TEAM}&command=%2Fsignalbox&text=status&user_id=U1&trigger_id=t`;
    for (const how of [{}, { signature: null }])
      expect(await slack.post(FORM, body, how)).toMatchObject({ status: 200, body: undefined });
    expect((await slack.post(FORM, body, { signature: 'v0=00' })).status).toBe(401);
    expect(received).toEqual([]);
  });
});

test('before the start and after the stop Slack is asked to come again', async () => {
  const { slack, adapter, received } = await prepare('http');
  expect((await slack.slashCommand('status', WHO)).status).toBe(503);
  await adapter.start();
  expect((await slack.slashCommand('status', WHO)).status).toBe(200);
  await adapter.stop(new AbortController().signal);
  expect((await slack.slashCommand('status', WHO)).status).toBe(503);
  expect(received).toHaveLength(1);
});

test('an answer that cannot be posted to the response_url undoes nothing', async () => {
  const { slack, received } = await setUp('http');
  const click = {
    type: 'block_actions',
    team: { id: TEAM },
    user: { id: 'U1' },
    channel: { id: CHANNEL },
    trigger_id: 't1',
    response_url: `${slack.url}/response/unknown`,
    actions: [{ type: 'button', action_id: 'run:0:x', block_id: 'b', value: '{"command":"x","args":{}}' }],
  };
  const taken = await slack.post(FORM, new URLSearchParams({ payload: JSON.stringify(click) }).toString());
  expect(taken.status).toBe(200);
  expect(received).toHaveLength(1);
});
