import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Adapter, HttpApp } from '../../src/core/adapter.ts';
import { touchesIdentity } from '../../src/core/feed-topics.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { asRefusal, Refusal } from '../../src/domain/errors.ts';
import { route } from '../http.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { EntryItem, LogItem } from './item.ts';
import { admit, PATH, PROTOCOL, refuseUpgrade, type UpgradeOptions } from './upgrade.ts';

export interface WebSocketOptions extends Omit<ConnectionOptions, 'bufferCap'>, UpgradeOptions {
  readonly http: HttpApp;
  readonly server: Server;
  /** Milliseconds between pings; 30 s unless told. A socket that missed one is ended at the next. */
  readonly heartbeat?: number;
  /** Bytes that may wait for a slow reader before it is cut off with 1013; 1 MiB unless told. */
  readonly bufferCap?: number;
  /** Names connections; a random UUID unless given. */
  readonly newId?: () => string;
}

const FRAME = 64 * 1024;
const HEARTBEAT = 30 * SECOND;
const CAP = 1024 * 1024;

/** `GET /v1/ws`, subprotocol `signalbox.v1`: commands, journal topics and live log lines on one socket. */
export function createWebSocketAdapter(options: WebSocketOptions): Adapter {
  return new WebSocketAdapter(options);
}

class WebSocketAdapter implements Adapter {
  readonly name = 'websocket';
  readonly #options: WebSocketOptions;
  readonly #shared: ConnectionOptions;
  readonly #sockets: WebSocketServer;
  readonly #connections = new Set<Connection>();
  /** Sockets whose sender is still being proven. */
  readonly #knocking = new Set<Duplex>();
  readonly #stops: (() => void)[] = [];
  #state: 'new' | 'on' | 'stopping' = 'new';

  constructor(options: WebSocketOptions) {
    this.#options = options;
    this.#shared = { ...options, bufferCap: options.bufferCap ?? CAP };
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: FRAME,
      perMessageDeflate: false,
      handleProtocols: () => PROTOCOL,
    });
  }

  async start(): Promise<void> {
    const { http, server, feed, workspace, heartbeat = HEARTBEAT } = this.#options;
    route(http, PATH, { get: () => this.#explain() });
    const upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) =>
      void this.#upgrade(req, socket, head);
    server.on('upgrade', upgrade);
    const beat = setInterval(() => {
      for (const connection of this.#connections) connection.beat();
    }, heartbeat);
    this.#stops.push(
      () => server.off('upgrade', upgrade),
      () => clearInterval(beat),
      feed.onEntry(workspace, (entry) => {
        if (touchesIdentity(entry.event)) for (const connection of this.#connections) connection.doubt();
        const item = new EntryItem(entry);
        for (const connection of this.#connections) connection.entry(item);
      }),
      feed.onLog(workspace, (line) => {
        const item = new LogItem(line);
        for (const connection of this.#connections) connection.line(item);
      }),
    );
    this.#state = 'on';
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#state = 'stopping';
    const cut = () => {
      for (const connection of this.#connections) connection.terminate();
      for (const socket of this.#knocking) socket.destroy();
    };
    deadline.addEventListener('abort', cut, { once: true });
    if (deadline.aborted) cut();
    await Promise.all([...this.#connections].map((connection) => this.#finish(connection)));
    deadline.removeEventListener('abort', cut);
    for (const stop of this.#stops.splice(0)) stop();
  }

  health() {
    if (this.#state === 'on') return { state: 'on' } as const;
    return { state: 'off', reason: this.#state === 'new' ? 'not started' : 'stopped' } as const;
  }

  /** Resolves when the socket is gone, by its own goodbye or because the deadline cut it. */
  #finish(connection: Connection): Promise<void> {
    const gone = new Promise<void>((resolve) => connection.onGone(resolve));
    void connection.finish();
    return gone;
  }

  /** A plain request for the address of the socket. */
  #explain(): never {
    if (this.#state !== 'on') throw new Refusal('unavailable', 'Signalbox is stopping.');
    throw new Refusal(
      'upgrade_required',
      `This is a WebSocket: connect to it, with subprotocol ${PROTOCOL}.`,
    );
  }

  async #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const hungUp = (err: Error) => this.#options.log.debug({ err }, 'an upgrade was cut off');
    socket.on('error', hungUp);
    this.#knocking.add(socket);
    try {
      const admitted = await admit(this.#options, req);
      if (this.#state !== 'on') throw new Refusal('unavailable', 'Signalbox is stopping.');
      if (socket.destroyed) return;
      const letGo = this.#options.admission.hold('websocket', admitted.identity, admitted.who);
      let opened = false;
      socket.off('error', hungUp);
      this.#sockets.handleUpgrade(req, socket, head, (ws) => {
        const id = (this.#options.newId ?? randomUUID)();
        const connection = new Connection(id, ws, socket, admitted, this.#shared);
        opened = true;
        this.#connections.add(connection);
        // Whatever changed since it was admitted was told before it could hear of it.
        connection.doubt();
        connection.onGone(() => {
          letGo();
          this.#connections.delete(connection);
        });
      });
      // A handshake that breaks the protocol was answered by ws.
      if (!opened) letGo();
    } catch (error) {
      if (asRefusal(error).code === 'internal') this.#options.log.error({ err: error }, 'an upgrade failed');
      refuseUpgrade(socket, error);
    } finally {
      this.#knocking.delete(socket);
    }
  }
}
