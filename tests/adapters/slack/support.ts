import { pino } from 'pino';
import { expect, onTestFinished } from 'vitest';
import { createHttp } from '../../../adapters/http.ts';
import { createSlackAdapter, type SlackOptions } from '../../../adapters/slack/index.ts';
import { commands } from '../../../commands/index.ts';
import type { Adapter } from '../../../src/core/adapter.ts';
import { createCommandSet } from '../../../src/core/command-set.ts';
import type { Answer, Inbound, Reply } from '../../../src/core/message.ts';
import { type FakeSlack, type FakeSlackOptions, startFakeSlack } from '../../fakes/slack/index.ts';

export const TEAM = 'T0TEAM001';
export const SECRET = 'fake-signing-secret';
export const CHANNEL = 'C0GENERAL';
export const NOW = new Date('2026-03-02T09:00:00.000Z');

export const commandSet = createCommandSet(commands);

class TestClock {
  at = NOW;
  now(): Date {
    return this.at;
  }
}

export interface Setup {
  readonly slack: FakeSlack;
  readonly adapter: Adapter;
  readonly clock: TestClock;
  /** What reached the pipeline, in order. */
  readonly received: Inbound[];
  /** What the pipeline's stand-in replies; set it to change it. */
  readonly pipeline: { reply: Reply; error?: Answer['error']; before?: () => Promise<void> };
  readonly eventsUrl: string;
}

/** A started adapter beside a fake Slack; everything is closed after the test, and the fake's rules have to hold. */
export async function setUp(mode: 'http' | 'socket', more: Partial<SlackOptions> = {}): Promise<Setup> {
  const parts = await prepare(mode, more);
  await parts.adapter.start();
  return parts;
}

/** The same, not started. */
export async function prepare(
  mode: 'http' | 'socket',
  more: Partial<SlackOptions> = {},
  fake: Partial<FakeSlackOptions> = {},
): Promise<Setup> {
  const clock = new TestClock();
  const slack = await startFakeSlack({
    signingSecret: SECRET,
    botToken: 'xoxb-fake',
    appToken: 'xapp-fake',
    teamId: TEAM,
    clock,
    ...fake,
  });
  const log = pino({ level: 'silent' });
  const http = createHttp({ host: '127.0.0.1', port: 0, trustedProxies: [], allowedOrigins: [], log });
  const received: Inbound[] = [];
  const pipeline: Setup['pipeline'] = { reply: { text: 'Done.' } };
  const adapter = await createSlackAdapter({
    workspace: 'main',
    botToken: 'xoxb-fake',
    ...(mode === 'http' ? { signingSecret: SECRET } : { appToken: 'xapp-fake' }),
    apiUrl: slack.apiUrl,
    receive: async (message) => {
      received.push(message);
      await pipeline.before?.();
      return answer(pipeline, received.length);
    },
    commands: commandSet,
    http: http.app,
    clock,
    log,
    ...more,
  });
  const { port } = await http.listen();
  const eventsUrl = `http://127.0.0.1:${port}/slack/events`;
  if (mode === 'http') slack.pointTo(eventsUrl);
  onTestFinished(async () => {
    await adapter.stop(AbortSignal.abort());
    await Promise.all([slack.close(), http.close(AbortSignal.abort())]);
    slack.assertClean();
  });
  return { slack, adapter, clock, received, pipeline, eventsUrl };
}

function answer({ reply, error }: Setup['pipeline'], count: number): Answer {
  const id = `answer-${count}`;
  const base = { id, reply, correlationId: `correlation-${count}` };
  return error === undefined ? { ...base, status: 'ok' } : { ...base, status: 'error', error };
}

/** Waits for what a machine under load may take a while for. */
// oxlint-disable-next-line vitest/require-awaited-expect-poll -- the callers await it
export const soon = <T>(read: () => T) => expect.poll(read, { timeout: 10_000, interval: 5 });
