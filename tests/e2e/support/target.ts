import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Target {
  readonly url: string;
  /** How often the probe's question was asked. */
  readonly asked: () => number;
  /** Lets everybody through who waits at the gate, now and later. */
  readonly open: () => void;
  readonly close: () => Promise<void>;
}

/** A server for Signalbox to reach: `/health` answers at once, `/gate` when the test lets it. */
export async function startTarget(): Promise<Target> {
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  const server = createServer((req, res) => {
    res.setHeader('content-type', 'text/plain');
    if (req.url === '/gate') return void gate.promise.then(() => res.end('go'));
    asked += 1;
    res.end('fine');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    open: gate.resolve,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
