import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

type When = 'before' | 'after' | 'gone' | 'silent';

/** A way to a server that can be cut. */
export interface Proxy {
  /** The address with our port in the place of its own. */
  readonly url: string;
  /** Cuts every connection and refuses new ones until `mend`. */
  cut(): void;
  /**
   * As where a machine or network is gone: connections stay open, and nothing comes through any more; new ones get no
   * answer until `mend`. With a text, that befalls only those that have said it, and no new ones.
   * Returns how many are silent.
   */
  silence(said?: string): number;
  mend(): void;
  /**
   * At the next piece from a client that contains the text, everything is cut: before the server gets it, or after, with
   * the answer lost; `gone`: after, and new ones are refused until `mend`. Or that connection falls silent.
   * With `said`, only at a piece of a client that has said that as well.
   */
  cutAt(text: string, when: When, said?: string): void;
  close(): Promise<void>;
}

export async function startProxy(address: string): Promise<Proxy> {
  const target = new URL(address);
  const sockets = new Set<Socket>();
  const pairs = new Set<{ said: string; silent: boolean }>();
  let away = false;
  let silent = false;
  let trap: { text: string; when: When; said: string } | undefined;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((client) => {
    if (away) {
      client.destroy();
      return;
    }
    const pair = { said: '', silent };
    pairs.add(pair);
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.on('close', () => {
      pairs.delete(pair);
      upstream.end();
    });
    upstream.on('close', () => pair.silent || client.destroy());
    let swallowing = false;
    client.on('data', (piece) => {
      if (pair.silent) return;
      pair.said = (pair.said + piece.toString('latin1')).slice(0, 2_000);
      if (!trap || !piece.includes(trap.text) || !pair.said.includes(trap.said)) {
        upstream.write(piece);
        return;
      }
      const { when } = trap;
      trap = undefined;
      if (when === 'silent') {
        pair.silent = true;
        return;
      }
      if (when === 'before') {
        cut();
        return;
      }
      // The answer arrives here, and nowhere else.
      swallowing = true;
      upstream.once('data', () => {
        away = when === 'gone';
        cut();
      });
      upstream.write(piece);
    });
    upstream.on('data', (piece) => {
      if (!swallowing && !pair.silent) client.write(piece);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = Object.assign(new URL(address), { port: String((server.address() as AddressInfo).port) }).href;
  return {
    url,
    cut() {
      away = true;
      cut();
    },
    silence(said = '') {
      silent = said === '';
      for (const pair of pairs) pair.silent ||= pair.said.includes(said);
      return [...pairs].filter((pair) => pair.silent).length;
    },
    mend() {
      away = false;
      silent = false;
    },
    cutAt: (text, when, said = '') => void (trap = { text, when, said }),
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
