import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { DeliveryOptions, EnvelopeType } from './envelope.ts';
import type { Violations } from './violations.ts';

export interface EnvelopeAck {
  readonly envelope_id: string;
  readonly payload?: Record<string, unknown>;
}

/** Socket Mode's server side: single-use addresses, a greeting, envelopes that want an acknowledgement each. */
export class SocketServer {
  /** Sockets that were greeted, also those that are gone. */
  connections = 0;
  /** Greets new sockets; switch off to play a Slack that accepts and says nothing. */
  greets = true;
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #tickets = new Set<string>();
  readonly #waiting = new Map<string, (ack: EnvelopeAck) => void>();
  readonly #violations: Violations;
  readonly #appId: string;

  constructor(appId: string, violations: Violations) {
    this.#appId = appId;
    this.#violations = violations;
  }

  get isOpen(): boolean {
    return this.#open() !== undefined;
  }

  /** Path and query of a fresh address. */
  issue(): string {
    const ticket = randomUUID();
    this.#tickets.add(ticket);
    return `/link/?ticket=${ticket}&app_id=${this.#appId}`;
  }

  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const ticket = new URL(req.url ?? '/', 'ws://slack.test').searchParams.get('ticket') ?? '';
    if (!this.#tickets.delete(ticket)) {
      this.#violations.add('socket: the address was used twice or never handed out');
      socket.destroy();
      return;
    }
    this.#server.handleUpgrade(req, socket, head, (client) => this.#greet(client));
  }

  /** Sends an envelope; undefined when nobody acknowledged it in time. */
  async deliver(
    type: EnvelopeType,
    payload: Record<string, unknown>,
    patience: number,
    { retryNum, retryReason }: DeliveryOptions,
  ): Promise<EnvelopeAck | undefined> {
    const client = this.#open();
    if (client === undefined) throw new Error('No socket is open.');
    const id = randomUUID();
    const { promise, resolve } = Promise.withResolvers<EnvelopeAck | undefined>();
    this.#waiting.set(id, resolve);
    const timer = setTimeout(() => resolve(undefined), patience);
    const gone = (): void => resolve(undefined);
    client.once('close', gone);
    const isEvent = type === 'events_api';
    const retry = {
      retry_attempt: retryNum ?? 0,
      retry_reason: retryReason ?? (retryNum === undefined ? '' : 'timeout'),
    };
    const accepts_response_payload = !isEvent;
    client.send(
      JSON.stringify({ type, envelope_id: id, payload, accepts_response_payload, ...(isEvent && retry) }),
    );
    const ack = await promise;
    clearTimeout(timer);
    client.off('close', gone);
    return ack;
  }

  /** A frame of any kind, envelope or not. */
  sendRaw(frame: string): void {
    this.#open()?.send(frame);
  }

  /** Asks the app to leave, as Slack does every few hours. */
  refresh(): void {
    this.sendRaw(
      JSON.stringify({ type: 'disconnect', reason: 'refresh_requested', debug_info: { host: 'slack.test' } }),
    );
  }

  /** Breaks every connection without a closing frame. */
  drop(): void {
    for (const client of this.#server.clients) client.terminate();
  }

  close(): void {
    this.drop();
    this.#server.close();
  }

  #open(): WebSocket | undefined {
    return [...this.#server.clients].find((client) => client.readyState === client.OPEN);
  }

  #greet(client: WebSocket): void {
    // Each delivery that waits for its acknowledgement listens for the end.
    client.setMaxListeners(0);
    client.on('message', (data: Buffer) => this.#acknowledge(data.toString('utf8')));
    if (!this.greets) return;
    this.connections += 1;
    const hello = {
      type: 'hello',
      num_connections: this.#server.clients.size,
      connection_info: { app_id: this.#appId },
    };
    const debug_info = {
      host: 'slack.test',
      build_number: 10,
      approximate_connection_time: 18_060,
    };
    client.send(JSON.stringify({ ...hello, debug_info }));
  }

  #acknowledge(frame: string): void {
    const ack = JSON.parse(frame) as EnvelopeAck;
    const waiting = this.#waiting.get(ack.envelope_id);
    if (waiting === undefined)
      this.#violations.add(`socket: envelope ${ack.envelope_id} is unknown or acknowledged twice`);
    this.#waiting.delete(ack.envelope_id);
    waiting?.(ack);
  }
}
