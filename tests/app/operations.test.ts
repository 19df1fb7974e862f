import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Server, startServer } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const CHOSEN = 'an-example-token-of-the-administrator';
const SECRET = 'an-example-signing-secret';

let server: Server;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
  const env = { SIGNALBOX_ADMIN_TOKEN: CHOSEN, CI_WEBHOOK_SECRET: SECRET, LOG_LEVEL: 'trace' };
  server = await Server.start({ folder, env });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

test('/healthz and /readyz need no token and tell what was looked at', async () => {
  const nobody = { headers: { authorization: '' } };
  expect(await (await server.fetch('/healthz', nobody)).json()).toEqual({ ok: true });
  const ready = await server.fetch('/readyz', nobody);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toEqual({
    ok: true,
    checks: {
      database: 'ok',
      migrations: 'ok',
      queue: 'ok',
      journal: expect.any(Number) as number,
      channels: {
        rest: { state: 'on' },
        websocket: { state: 'on' },
        webhook: { state: 'on' },
        slack: { state: 'off', reason: expect.stringContaining('SLACK_BOT_TOKEN') as string },
        email: { state: 'off', reason: expect.stringContaining('IMAP_HOST') as string },
        terminal: { state: 'off', reason: expect.stringContaining('terminal') as string },
      },
    },
  });
});

test('/metrics counts commands, refusals and channels', async () => {
  await server.command('task create Lamp');
  await server.command('task craete Lamp');
  await server.fetch('/webhooks/ci', { method: 'POST', body: '{}' });
  await server.fetch('/v1/tasks', { headers: { authorization: 'Bearer not-a-key' } });
  const metrics = await (await server.fetch('/metrics')).text();
  for (const line of [
    /^signalbox_command_seconds_count\{channel="rest",status="ok"\} [1-9]/m,
    /^signalbox_command_seconds_count\{channel="rest",status="unknown_command"\} 1$/m,
    /^signalbox_unproven_total\{channel="webhook",source="ci"\} 1$/m,
    /^signalbox_unproven_total\{channel="bearer",source="http"\} 1$/m,
    /^signalbox_channel_up\{channel="rest"\} 1$/m,
    /^signalbox_channel_up\{channel="webhook"\} 1$/m,
    /^process_resident_memory_bytes \d+/m,
    /^nodejs_eventloop_lag_seconds /m,
  ])
    expect(metrics).toMatch(line);
  for (const name of ['rate_limited', 'mail_dropped', 'outgoing', 'job_tries'])
    expect(metrics).toContain(`# TYPE signalbox_${name}_total counter`);
  expect(metrics).not.toContain('channel="slack"');
});

test('the sender’s correlation id goes through to the journal, its job and their events', async () => {
  const headers = { 'content-type': 'application/json', 'x-correlation-id': 'order-66' };
  const body = JSON.stringify({ text: 'job run restart --service web' });
  const answer = await server.fetch('/v1/commands', { method: 'POST', headers, body });
  expect(answer.headers.get('x-correlation-id')).toBe('order-66');
  expect(await answer.json()).toMatchObject({ status: 'ok', correlationId: 'order-66' });
  const seen = new Set<string>();
  for (let after = 0; !seen.has('job.succeeded'); ) {
    const page = await server.fetch(`/v1/events?after=${after}&wait=15`);
    const { events, next } = (await page.json()) as {
      events: { event: string; correlationId: string }[];
      next: number;
    };
    for (const { event, correlationId } of events) if (correlationId === 'order-66') seen.add(event);
    after = next;
  }
  expect([...seen]).toEqual([
    'command.accepted',
    'job.queued',
    'job.assigned',
    'job.started',
    'job.succeeded',
  ]);
});

test('logs are JSON lines on standard error, and hold no secret whatever is sent where', async () => {
  const leaks = [
    'sb_0198aaaa-bbbb-7ccc-8ddd-eeeeffff0000_ExampleExampleExampleExampleExampleExampleE',
    'ExamplePasswordNobodyHas',
    'eyJhbGciOiJub25lIn0.eyJzdWIiOiJub2JvZHkifQ.ExampleSignature',
  ];
  const json = { 'content-type': 'application/json' };
  for (const leak of leaks) {
    const sends: [string, NonNullable<Parameters<Server['fetch']>[1]>][] = [
      ['/v1/tasks', { headers: { authorization: `Bearer ${leak}` } }],
      ['/v1/tasks', { headers: { authorization: `Basic ${btoa(`ana:${leak}`)}`, cookie: `token=${leak}` } }],
      [`/v1/tasks?token=${leak}`, {}],
      [`/v1/ws?ticket=${leak}`, {}],
      [`/nowhere/${leak}`, {}],
      [`/v1/tasks/%ff${leak}`, {}],
      ['/webhooks/ci', { method: 'POST', body: '{', headers: { 'x-signature-256': leak } }],
      ['/v1/tokens', { method: 'POST', body: JSON.stringify({ refreshToken: leak }), headers: json }],
      ['/v1/commands', { method: 'POST', body: `{"text": "${leak}`, headers: json }],
      ['/v1/commands', { method: 'POST', body: JSON.stringify({ text: `login ${leak}` }), headers: json }],
    ];
    for (const [path, init] of sends) {
      const { status } = await server.fetch(path, init);
      expect(status, path).toBeGreaterThanOrEqual(400);
      expect(status, path).toBeLessThan(500);
    }
  }
  await server.command('status');
  for (const leak of [...leaks, CHOSEN, SECRET]) expect(server.out + server.err).not.toContain(leak);
  const lines = server.err.trim().split('\n');
  expect(server.err).toContain('webhook refused');
  for (const line of lines)
    expect(JSON.parse(line)).toMatchObject({
      level: expect.any(Number) as number,
      msg: expect.any(String) as string,
    });
});

test('/readyz is 503 while a channel that is on is deaf, and says which and why', async () => {
  const deaf = await startServer({
    folder: tempFolder(),
    env: {
      SLACK_BOT_TOKEN: 'xoxb-fake',
      SLACK_SIGNING_SECRET: SECRET,
      SLACK_API_URL: 'http://127.0.0.1:9/api/',
    },
  });
  const ready = await deaf.fetch('/readyz');
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({
    ok: false,
    checks: { database: 'ok', channels: { slack: { state: 'deaf' }, rest: { state: 'on' } } },
  });
  expect(await (await deaf.fetch('/metrics')).text()).toContain('signalbox_channel_up{channel="slack"} 0');
  expect((await deaf.command('whoami')).status).toBe(200);
});
