import { setTimeout as pause } from 'node:timers/promises';
import { MINUTE, type Clock } from '../../../src/domain/clock.ts';
import { checkResponse } from './response-url.ts';
import { signedHeaders } from './signing.ts';
import type { DeliveryOptions, EnvelopeType } from './envelope.ts';
import type { SocketServer } from './socket.ts';
import { isFields, only } from './text-objects.ts';
import type { Violations } from './violations.ts';

/** Slack gives an app three seconds. */
const PATIENCE = 3_000;

/** When an event that was not acknowledged comes again (docs.slack.dev/apis/events-api, "Retries"). */
const PAUSES = [0, MINUTE, 5 * MINUTE] as const;

/** How the app took a delivery. */
export interface Taken {
  /** HTTP status; over a socket 200 for an acknowledgement; 0 for no answer at all, or where nothing was sent. */
  readonly status: number;
  /** What the acknowledgement carried: JSON, text or undefined. */
  readonly body: unknown;
  readonly headers: Headers;
  readonly milliseconds: number;
  /** Nothing was sent. */
  readonly isUnheard?: boolean;
}

/** Nothing was sent: the fake is muted, or the app does not hear of it. */
export const UNHEARD: Taken = {
  status: 0,
  body: undefined,
  headers: new Headers(),
  milliseconds: 0,
  isUnheard: true,
};

export interface DeliveryParts {
  readonly signingSecret: string;
  readonly clock: Clock;
  readonly violations: Violations;
  readonly socket: SocketServer;
  /** Where HTTP mode posts to. */
  readonly requestUrl: () => string | undefined;
  /** Whether events that were not acknowledged come again. */
  readonly retries?: boolean | undefined;
  /** Lets milliseconds pass between the deliveries of an event. */
  readonly wait?: ((milliseconds: number) => Promise<void>) | undefined;
  /** Milliseconds after which an event counts as not acknowledged; three seconds unless told. */
  readonly patience?: number | undefined;
}

/** Hands a payload to the app: through an open socket where there is one, else signed to its request URL. */
export class Delivery {
  /** A muted Slack takes calls and sends nothing. */
  muted = false;
  readonly #parts: DeliveryParts;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  async send(
    type: EnvelopeType,
    payload: Record<string, unknown>,
    options: DeliveryOptions = {},
  ): Promise<Taken> {
    const { retries = this.#parts.retries ?? false, wait = defaultWait } = { ...this.#parts, ...options };
    if (this.muted) return UNHEARD;
    if (type !== 'events_api' || !retries) return this.#once(type, payload, options);
    let { taken, reason } = await this.#tried(payload, options);
    for (const [index, milliseconds] of PAUSES.entries()) {
      if (reason === undefined || taken.headers.get('x-slack-no-retry') === '1') break;
      await wait(milliseconds);
      const again = { ...options, retryNum: index + 1, retryReason: reason };
      ({ taken, reason } = await this.#tried(payload, again));
    }
    return taken;
  }

  /** One delivery of an event, and Slack's word for why it has to come again. */
  async #tried(
    payload: Record<string, unknown>,
    options: DeliveryOptions,
  ): Promise<{ taken: Taken; reason: string | undefined }> {
    const patience = AbortSignal.timeout(this.#parts.patience ?? PATIENCE);
    const signal = options.signal === undefined ? patience : AbortSignal.any([patience, options.signal]);
    try {
      const taken = await this.#once('events_api', payload, { ...options, signal });
      const isTaken = taken.status >= 200 && taken.status < 300;
      return { taken, reason: isTaken ? undefined : taken.status === 0 ? 'timeout' : 'http_error' };
    } catch {
      options.signal?.throwIfAborted();
      return {
        taken: { ...UNHEARD, isUnheard: false },
        reason: patience.aborted ? 'http_timeout' : 'connection_failed',
      };
    }
  }

  async #once(
    type: EnvelopeType,
    payload: Record<string, unknown>,
    options: DeliveryOptions,
  ): Promise<Taken> {
    const started = performance.now();
    const taken = this.#parts.socket.isOpen
      ? await this.#overSocket(type, payload, options)
      : await this.post(...encode(type, payload), options);
    const milliseconds = performance.now() - started;
    if (milliseconds > PATIENCE)
      this.#parts.violations.add(`${type}: acknowledged after ${Math.round(milliseconds)} ms`);
    if (taken.status === 200) this.#checkAck(type, payload['type'], taken.body);
    return { ...taken, milliseconds };
  }

  /** A signed request with any body at all. */
  async post(
    contentType: string,
    body: string,
    options: DeliveryOptions = {},
  ): Promise<Omit<Taken, 'milliseconds'>> {
    const url = this.#parts.requestUrl();
    if (url === undefined)
      throw new Error('No socket is open and no request URL is set: call fake.pointTo(url).');
    const response = await fetch(url, {
      method: 'POST',
      body,
      signal: options.signal ?? null,
      headers: {
        'content-type': contentType,
        ...signedHeaders(this.#parts.signingSecret, this.#parts.clock.now(), body, options),
        ...(options.retryNum === undefined ? {} : { 'x-slack-retry-num': String(options.retryNum) }),
        ...(options.retryReason === undefined ? {} : { 'x-slack-retry-reason': options.retryReason }),
      },
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    const content: unknown = text === '' ? undefined : isJson ? JSON.parse(text) : text;
    return { status: response.status, body: content, headers: response.headers };
  }

  async #overSocket(type: EnvelopeType, payload: Record<string, unknown>, options: DeliveryOptions) {
    const patience = this.#parts.patience ?? PATIENCE;
    const ack = await this.#parts.socket.deliver(type, payload, patience, options);
    return { status: ack === undefined ? 0 : 200, body: ack?.payload, headers: new Headers() };
  }

  /** Only a command's acknowledgement is shown, and a modal's acted upon; with others it is lost. */
  #checkAck(type: EnvelopeType, what: unknown, body: unknown): void {
    if (body === undefined || (isFields(body) && Object.keys(body).length === 0)) return;
    const { violations } = this.#parts;
    if (what === 'view_submission')
      for (const error of checkAction(body)) violations.add(`view_submission: ${error}`);
    else if (type !== 'slash_commands') violations.add(`${type}: the acknowledgement must be empty`);
    else if (!isFields(body)) violations.add(`${type}: the acknowledgement is no message`);
    else for (const error of checkResponse(body)) violations.add(`${type}: ${error}`);
  }
}

/** docs.slack.dev/surfaces/modals, "Updating, pushing and closing views" */
function checkAction(body: unknown): string[] {
  if (!isFields(body)) return ['the acknowledgement is no object'];
  switch (body['response_action']) {
    case 'clear':
      return only(body, ['response_action']);
    case 'errors':
      return [
        ...only(body, ['response_action', 'errors']),
        ...(isFields(body['errors']) && Object.keys(body['errors']).length > 0 ? [] : ['errors are missing']),
      ];
    case 'update':
    case 'push':
      return only(body, ['response_action', 'view']);
    default:
      return ['the acknowledgement has no response_action that Slack knows'];
  }
}

/** As long as Slack would: without end for the process, that is. */
const defaultWait = (milliseconds: number): Promise<void> => pause(milliseconds, undefined, { ref: false });

function encode(type: EnvelopeType, payload: Record<string, unknown>): [contentType: string, body: string] {
  const form = 'application/x-www-form-urlencoded';
  if (type === 'events_api') return ['application/json', JSON.stringify(payload)];
  if (type === 'interactive')
    return [form, new URLSearchParams({ payload: JSON.stringify(payload) }).toString()];
  return [form, new URLSearchParams(payload as Record<string, string>).toString()];
}
