import { createHmac } from 'node:crypto';
import { pino } from 'pino';
import { afterEach } from 'vitest';
import { createHttp, type Http } from '../../../adapters/http.ts';
import { createWebhookAdapter, type WebhookOptions } from '../../../adapters/webhook/index.ts';
import type { Adapter } from '../../../src/core/adapter.ts';
import type { Answer, Inbound } from '../../../src/core/message.ts';
import type { Rule, Source } from '../../../src/domain/catalog.ts';

export const SECRET = 'fake-webhook-secret';
export const NOW = new Date('2026-11-20T12:00:00Z');

export const rule = (changes: Partial<Rule> = {}): Rule => ({
  name: 'failed',
  when: 'event == "workflow_run" && payload.workflow_run.conclusion == "failure"',
  command: 'task.create',
  args: { title: '"CI failed: " + payload.workflow_run.head_branch' },
  as: undefined,
  ...changes,
});
export const source = (changes: Partial<Source> = {}): Source => ({
  name: 'github',
  kind: 'github',
  secrets: ['GITHUB_WEBHOOK_SECRET'],
  signatureHeader: undefined,
  deliveryHeader: undefined,
  rules: [rule()],
  ...changes,
});
export const answer = (changes: Partial<Answer> = {}): Answer => ({
  id: 'a1',
  status: 'ok',
  reply: { text: 'TSK-1' },
  correlationId: 'd1',
  ...changes,
});

export interface Bench {
  readonly received: Inbound[];
  readonly refused: string[];
  readonly adapter: Adapter;
  readonly url: string;
  post(body: string | Buffer, headers?: Record<string, string>, at?: string): Promise<Response>;
}

const servers: Http[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(AbortSignal.abort());
});

/** The adapter on a real server; closed after the test. */
export async function bench(
  sources: Source[] = [source()],
  overrides: Partial<WebhookOptions> = {},
): Promise<Bench> {
  const received: Inbound[] = [];
  const refused: string[] = [];
  const log = pino({ enabled: false });
  const http = createHttp({ host: '127.0.0.1', port: 0, trustedProxies: [], allowedOrigins: [], log });
  const adapter = createWebhookAdapter({
    workspace: 'main',
    sources: new Map(sources.map((each) => [each.name, each])),
    secrets: () => [SECRET],
    receive: async (message) => {
      received.push(message);
      return answer();
    },
    http: http.app,
    clock: { now: () => NOW },
    log,
    onRefused: (name) => refused.push(name),
    ...overrides,
  });
  await adapter.start();
  servers.push(http);
  const url = `http://127.0.0.1:${(await http.listen()).port}`;
  const post: Bench['post'] = (body, headers = {}, at = '/webhooks/github') =>
    fetch(url + at, {
      method: 'POST',
      body: typeof body === 'string' ? body : new Uint8Array(body),
      headers: { ...signed(body), ...headers },
    });
  return { received, refused, adapter, url, post };
}

/** The headers GitHub would send with this body. */
export function signed(body: string | Buffer, delivery = 'd1'): Record<string, string> {
  return {
    'content-type': 'application/json',
    'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
    'x-github-event': 'workflow_run',
    'x-github-delivery': delivery,
  };
}

export const failure = (branch = 'main', more: object = {}): string =>
  JSON.stringify({ workflow_run: { conclusion: 'failure', head_branch: branch }, ...more });
