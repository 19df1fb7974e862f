import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** First bytes of whole frames (RFC 6455, 5.2). */
const TEXT = 0x81;
const PING = 0x89;
const PONG = 0x8a;

export interface Upgrade {
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client that does no more than frames of text (RFC 6455), so that it costs less than what it measures. */
export class Frames {
  readonly #socket: Socket;
  readonly #onFrame: (payload: Buffer) => void;
  #received: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, onFrame: (payload: Buffer) => void) {
    this.#socket = socket;
    this.#onFrame = onFrame;
  }

  /** @throws Error when the server does not switch, or hangs up later. */
  static async open(upgrade: Upgrade, onFrame: (payload: Buffer) => void): Promise<Frames> {
    const socket = connect({ host: '127.0.0.1', port: upgrade.port, noDelay: true });
    await once(socket, 'connect');
    const headers = Object.entries(upgrade.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      `GET ${upgrade.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${headers.join('')}\r\n`,
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    const head = first.toString('latin1');
    if (!head.startsWith('HTTP/1.1 101')) throw new Error(`the upgrade was refused: ${head}`);
    const frames = new Frames(socket, onFrame);
    socket.on('data', (chunk: Buffer) => frames.#take(chunk));
    frames.#take(first.subarray(first.indexOf('\r\n\r\n') + 4));
    return frames;
  }

  send(text: string): void {
    this.#write(TEXT, Buffer.from(text));
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Masked with zeros: a mask has to be there, and what it is does not matter here. */
  #write(kind: number, payload: Buffer): void {
    const long = payload.length > 125;
    const head = Buffer.alloc(long ? 8 : 6);
    head[0] = kind;
    head[1] = 0x80 | (long ? 126 : payload.length);
    if (long) head.writeUInt16BE(payload.length, 2);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #take(chunk: Buffer): void {
    let rest = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (let frame = nextFrame(rest); frame; frame = nextFrame(rest)) {
      if (rest[0] === TEXT) this.#onFrame(rest.subarray(frame.from, frame.to));
      else if (rest[0] === PING) this.#write(PONG, rest.subarray(frame.from, frame.to));
      rest = rest.subarray(frame.to);
    }
    this.#received = rest;
  }
}

/** Where the payload of the first frame is, once it is there as a whole. Servers do not mask. */
function nextFrame(bytes: Buffer): { from: number; to: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 0x7f;
  if (short === 127) throw new Error('no frame of the bench is that long');
  const from = short === 126 ? 4 : 2;
  if (bytes.length < from) return undefined;
  const to = from + (short === 126 ? bytes.readUInt16BE(2) : short);
  return bytes.length < to ? undefined : { from, to };
}
