import { setTimeout as delay } from 'node:timers/promises';
import type { Logger as SlackLogger } from '@slack/bolt';
import type { SocketModeClient } from '@slack/socket-mode';
import type { Logger } from 'pino';
import type { Clock } from '../../../src/domain/clock.ts';
import { SECOND } from '../../../src/domain/clock.ts';
import { asTokenRefusal } from '../account.ts';
import type { Intake } from './intake.ts';

/** How long Slack may take to greet after the socket was asked for. */
const GREETING = 30 * SECOND;
/** A connection that held this long counts as good: the next one is opened at once. */
const STEADY = 10 * SECOND;

export interface SocketModeOptions {
  readonly appToken: string;
  readonly apiUrl: string | undefined;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly log: Logger;
  readonly slackLog: SlackLogger;
}

/** Envelopes over a WebSocket that Slack hands out (docs.slack.dev/apis/events-api/using-socket-mode). */
export class SocketMode {
  readonly #client: SocketModeClient;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #problem: string | undefined = 'the Socket Mode connection is not open yet';

  constructor(client: SocketModeClient, { intake, clock, log }: SocketModeOptions) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
    client.on('slack_event', (envelope: Envelope) => void receive(envelope, intake, log));
  }

  /** Why nothing can be heard; undefined while the connection is open. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Resolves after the first try; when Slack is away, it goes on trying.
   * @throws Refusal `unauthenticated` when Slack refuses the app token.
   */
  start(): Promise<void> {
    const first = Promise.withResolvers<void>();
    this.#loop = this.#stayConnected(first);
    return first.promise;
  }

  /** Closes the socket; at the deadline without waiting for Slack's closing frame. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#closing.abort();
    const disconnect = (): void => void this.#client.disconnect();
    disconnect();
    if (deadline.aborted) disconnect();
    deadline.addEventListener('abort', disconnect, { once: true });
    // A socket that was only being asked for cannot be closed before it is there.
    const again = setInterval(disconnect, SECOND);
    await this.#loop;
    clearInterval(again);
    deadline.removeEventListener('abort', disconnect);
  }

  /**
   * The client's own reconnecting leaves a rejection that nobody handles when it fails (node-slack-sdk issue 2656), which
   * ends the process; so it is switched off, and each connection is opened and awaited here.
   */
  async #stayConnected(first: PromiseWithResolvers<void>): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; failures += 1) {
      await delay(pause(failures), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      const since = this.#clock.now().getTime();
      try {
        await this.#session(() => first.resolve());
        this.#problem = 'the Socket Mode connection is gone; opening another';
      } catch (error) {
        const refusal = asTokenRefusal(error);
        this.#problem = `Socket Mode cannot connect (${refusal?.message ?? reason(error)})`;
        if (refusal) first.reject(refusal);
      }
      if (!signal.aborted) this.#log.warn({ problem: this.#problem }, 'slack socket');
      first.resolve();
      if (this.#clock.now().getTime() - since >= STEADY) failures = -1;
    }
    first.resolve();
  }

  /** One connection, from its opening to its end. */
  async #session(opened: () => void): Promise<void> {
    const gone = new Promise<void>((resolve) => this.#client.once('disconnected', () => resolve()));
    const timer = setTimeout(() => void this.#client.disconnect(), GREETING);
    await this.#client.start().finally(() => clearTimeout(timer));
    if (this.#closing.signal.aborted) void this.#client.disconnect();
    else this.#problem = undefined;
    opened();
    await gone;
  }
}

/** Milliseconds before a try: none, none, then 1 s doubling to 30 s. */
const pause = (failures: number): number =>
  failures < 2 ? 0 : Math.min(30 * SECOND, SECOND * 2 ** (failures - 2));

// The client rejects with nothing at all when the socket closes before Slack's greeting.
const reason = (error: unknown): string =>
  error instanceof Error ? error.message : 'the connection closed before Slack greeted';

interface Envelope {
  readonly ack: (response?: Record<string, unknown>) => Promise<void>;
  readonly body: Record<string, unknown>;
  readonly retry_num?: number;
  readonly retry_reason?: string;
}

/** No acknowledgement makes Slack deliver the envelope again; another team's is acknowledged to have it stop. */
async function receive(
  { ack, body, retry_num, retry_reason }: Envelope,
  intake: Intake,
  log: Logger,
): Promise<void> {
  try {
    const handled = await intake.handle({
      body,
      ...(retry_num === undefined ? {} : { retryNum: retry_num }),
      ...(retry_reason === undefined ? {} : { retryReason: retry_reason }),
    });
    if (handled.status >= 500) return;
    await ack(typeof handled.body === 'object' && handled.body !== null ? { ...handled.body } : undefined);
  } catch (error) {
    log.warn({ err: error }, 'slack envelope was not acknowledged');
  }
}

/** Loads the client and opens nothing yet. */
export async function createSocketMode(options: SocketModeOptions): Promise<SocketMode> {
  const { SocketModeClient } = await import('@slack/socket-mode');
  class Client extends SocketModeClient {
    /** A frame that is no envelope would otherwise end the process as an unhandled rejection. */
    protected override async onWebSocketMessage(
      data: string | ArrayBuffer,
      isBinary: boolean,
    ): Promise<void> {
      await super.onWebSocketMessage(data, isBinary).catch((error: unknown) => {
        options.log.warn({ err: error }, 'slack sent a frame that cannot be read');
      });
    }
  }
  const client = new Client({
    appToken: options.appToken,
    autoReconnectEnabled: false,
    logger: options.slackLog,
    clientOptions: {
      ...(options.apiUrl === undefined ? {} : { slackApiUrl: options.apiUrl }),
      retryConfig: { retries: 0 },
      rejectRateLimitedCalls: true,
      timeout: 10 * SECOND,
    },
  });
  return new SocketMode(client, options);
}
