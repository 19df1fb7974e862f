import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type FakeSlack, type FakeSlackOptions, startFakeSlack } from './index.ts';

type Json = Record<string, unknown>;

/** A clock that tests turn. */
export class TestClock {
  at = new Date('2026-03-02T09:00:00.000Z');

  now(): Date {
    return this.at;
  }

  pass(milliseconds: number): void {
    this.at = new Date(this.at.getTime() + milliseconds);
  }
}

/** What an app was sent, with its answer to come. */
export interface Delivered {
  readonly payload: Json;
  readonly headers: IncomingHttpHeaders;
}

/** What the app answers: status, headers, JSON. Never for `hang`. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly hang?: boolean;
}

export interface Stage {
  readonly slack: FakeSlack;
  readonly clock: TestClock;
  /** What reached the app, in order. */
  readonly delivered: Delivered[];
  /** What the app answers to everything; set it to change it. */
  readonly app: { reply: (payload: Json) => Reply };
  /** A call of the Web API. */
  call(method: string, params: object, token?: string): Promise<Json>;
}

/** A fake with an app in front of it that notes what it is sent; all is closed after the test. */
export async function stage(more: Partial<FakeSlackOptions> = {}): Promise<Stage> {
  const clock = new TestClock();
  const slack = await startFakeSlack({
    signingSecret: 'fake-signing-secret',
    botToken: 'xoxb-fake',
    appToken: 'xapp-fake',
    teamId: 'T0TEAM001',
    clock,
    ...more,
  });
  const delivered: Delivered[] = [];
  const app: Stage['app'] = { reply: () => ({}) };
  const server = createServer((req, res) => {
    void req.toArray().then((chunks) => {
      const payload = decode(req.headers['content-type'] ?? '', Buffer.concat(chunks).toString('utf8'));
      delivered.push({ payload, headers: req.headers });
      const { status = 200, headers = {}, body, hang = false } = app.reply(payload);
      if (hang) return;
      if (body === undefined) res.writeHead(status, headers).end();
      else
        res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  slack.pointTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/slack/events`);
  onTestFinished(async () => {
    await slack.close();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const call: Stage['call'] = async (method, params, token = 'xoxb-fake') => {
    const response = await fetch(slack.apiUrl + method, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(params),
    });
    return (await response.json()) as Json;
  };
  return { slack, clock, delivered, app, call };
}

function decode(contentType: string, body: string): Json {
  if (contentType.startsWith('application/json')) return JSON.parse(body) as Json;
  const form: Json = Object.fromEntries(new URLSearchParams(body));
  return typeof form['payload'] === 'string' ? (JSON.parse(form['payload']) as Json) : form;
}

export const plain = (text: string) => ({ type: 'plain_text', text });

/** A modal with one field for each element, named by its type. */
export const modal = (...inputs: object[]) => ({
  type: 'modal',
  callback_id: 'task.create',
  private_metadata: 'kept',
  title: plain('New task'),
  ...(inputs.length > 0 && { submit: plain('Create') }),
  blocks: inputs.length > 0 ? inputs : [{ type: 'divider' }],
});

export const input = (blockId: string, element: object, more: object = {}) => ({
  type: 'input',
  block_id: blockId,
  label: plain(blockId),
  element: { action_id: `${blockId}.value`, ...element },
  ...more,
});

export const option = (value: string) => ({ text: plain(value.toUpperCase()), value });

/** The trigger of a slash command. */
export async function trigger({ slack, delivered }: Stage, user = 'U0ANA'): Promise<string> {
  await slack.slashCommand('task create', { user, channel: 'C0GENERAL' });
  return String(delivered.at(-1)?.payload['trigger_id']);
}
