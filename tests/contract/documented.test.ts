import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { text as read } from 'node:stream/consumers';
import { afterAll, beforeAll } from 'vitest';
import type { Adapter, Receive } from '../../src/core/adapter.ts';
import type { Authenticator } from '../../src/core/authenticator.ts';
import type { ChannelName } from '../../src/core/message.ts';
import { layOut } from '../docs/shown-files.ts';
import { adapterContract, type Line } from './adapter.ts';
import { typed, type Ask } from './world.ts';

interface LineModule {
  createLineAdapter(options: {
    host: string;
    port: number;
    authenticator: Authenticator;
    receive: Receive;
  }): Adapter;
}

const files = layOut('add-an-adapter.md');
let line: LineModule;
beforeAll(async () => {
  line = await files.load<LineModule>('adapters/line/index.ts');
});
afterAll(() => files.remove());

/** The example of docs/add-an-adapter.md, as a newcomer would write its run of the suite. */
adapterContract({
  title: 'the line of docs/add-an-adapter.md',
  name: 'line' as ChannelName, // not in the list: it is an example
  answers: 'in place',
  toldToWait: /Try again in \d+ s/,
  showsCorrelation: false,
  lateIs: 'refused',
  lacks: {
    stranger: 'a bearer without a living owner proves nothing',
    deafen: 'it listens itself',
  },
  async open({ authenticator, receive, key: keyOf }): Promise<Line> {
    const keys = { member: await keyOf('ben'), viewer: await keyOf('vic') };
    const shown: string[] = [];
    const port = await freePort();
    return {
      adapter: line.createLineAdapter({ host: '127.0.0.1', port, authenticator, receive }),
      shown,
      identities: { member: keys.member.identity, viewer: keys.viewer.identity },
      async say(from, ask, key) {
        const { bearer } = from === 'viewer' ? keys.viewer : keys.member;
        const heard = await tell(port, bearer, ask, key);
        if (heard !== '') shown.push(heard);
      },
      forge: (ask, key) => tell(port, `${keys.member.bearer.slice(0, -6)}AAAAAA`, ask, key),
      close: async () => undefined,
    };
  },
});

/** Two lines on a connection of their own; resolves with what came back. */
async function tell(port: number, bearer: string, ask: Ask, key: string | undefined): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const heard = read(socket);
  socket.end(`${bearer}\n${key === undefined ? '' : `@${key} `}${typed(ask)}\n`);
  return heard;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
