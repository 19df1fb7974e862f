import { checkResponse } from './response-url.ts';
import { signedHeaders } from './signing.ts';
import type { DeliveryOptions, EnvelopeType } from './envelope.ts';
import type { SocketServer } from './socket.ts';
import type { Violations } from './violations.ts';
import type { Clock } from '../../../src/domain/clock.ts';

/** Slack gives an app three seconds. */
const PATIENCE = 3_000;

/** How the app took a delivery. */
export interface Taken {
  /** HTTP status; over a socket 200 for an acknowledgement, 0 for none. */
  readonly status: number;
  /** What the acknowledgement carried: JSON, text or undefined. */
  readonly body: unknown;
  readonly headers: Headers;
  readonly milliseconds: number;
}

export interface DeliveryParts {
  readonly signingSecret: string;
  readonly clock: Clock;
  readonly violations: Violations;
  readonly socket: SocketServer;
  /** Where HTTP mode posts to. */
  readonly requestUrl: () => string | undefined;
}

/** Hands a payload to the app: through an open socket where there is one, else signed to its request URL. */
export class Delivery {
  readonly #parts: DeliveryParts;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  async send(
    type: EnvelopeType,
    payload: Record<string, unknown>,
    options: DeliveryOptions = {},
  ): Promise<Taken> {
    const started = performance.now();
    const taken = this.#parts.socket.isOpen
      ? await this.#overSocket(type, payload, options)
      : await this.post(...encode(type, payload), options);
    const milliseconds = performance.now() - started;
    if (milliseconds > PATIENCE)
      this.#parts.violations.add(`${type}: acknowledged after ${Math.round(milliseconds)} ms`);
    if (taken.status === 200) this.#checkAck(type, taken.body);
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
    const ack = await this.#parts.socket.deliver(type, payload, PATIENCE, options);
    return { status: ack === undefined ? 0 : 200, body: ack?.payload, headers: new Headers() };
  }

  /** Only a slash command's acknowledgement is shown to anybody; with others it is lost. */
  #checkAck(type: EnvelopeType, body: unknown): void {
    if (body === undefined || (typeof body === 'object' && body !== null && Object.keys(body).length === 0))
      return;
    const { violations } = this.#parts;
    if (type !== 'slash_commands') violations.add(`${type}: the acknowledgement must be empty`);
    else if (typeof body !== 'object' || body === null)
      violations.add(`${type}: the acknowledgement is no message`);
    else for (const error of checkResponse(body)) violations.add(`${type}: ${error}`);
  }
}

function encode(type: EnvelopeType, payload: Record<string, unknown>): [contentType: string, body: string] {
  const form = 'application/x-www-form-urlencoded';
  if (type === 'events_api') return ['application/json', JSON.stringify(payload)];
  if (type === 'interactive')
    return [form, new URLSearchParams({ payload: JSON.stringify(payload) }).toString()];
  return [form, new URLSearchParams(payload as Record<string, string>).toString()];
}
