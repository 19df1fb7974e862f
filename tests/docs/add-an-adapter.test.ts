import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Adapter, Receive } from '../../src/core/adapter.ts';
import type { Authenticator } from '../../src/core/authenticator.ts';
import { verified, type Inbound } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { layOut } from './shown-files.ts';

interface LineModule {
  createLineAdapter(options: {
    host: string;
    port: number;
    authenticator: Pick<Authenticator, 'bearer'>;
    receive: Receive;
  }): Adapter;
}

const identity = verified({
  workspace: 'main',
  channel: 'key',
  subject: 'k1',
  assurance: 'key',
  scopes: ['*'],
});

/** Knows one key. */
const authenticator: Pick<Authenticator, 'bearer'> = {
  bearer: async (authorization) => {
    if (authorization !== 'Bearer sb_fake') throw new Refusal('unauthenticated', 'Not a valid key.');
    return { identity, expiresAt: undefined };
  },
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('the example of docs/add-an-adapter.md', () => {
  const files = layOut('add-an-adapter.md');
  const received: Inbound[] = [];
  let port: number;
  let adapter: Adapter;

  beforeAll(async () => {
    const { createLineAdapter } = await files.load<LineModule>('adapters/line/index.ts');
    port = await freePort();
    adapter = createLineAdapter({
      host: '127.0.0.1',
      port,
      authenticator,
      receive: async (message: Inbound) => {
        received.push(message);
        return { id: 'a', status: 'ok', reply: { text: 'done\nand dusted' }, correlationId: 'c' };
      },
    });
    await adapter.start();
  });
  afterAll(async () => {
    await adapter.stop(AbortSignal.abort());
    expect(adapter.health().state).toBe('deaf');
    files.remove();
  });

  /** Says it all, then listens until the other side closes. */
  async function say(text: string): Promise<string> {
    const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let heard = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => void (heard += chunk));
    socket.on('error', () => undefined); // a sender that is cut off may be reset
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.end(text);
    await closed;
    return heard;
  }

  test('hands proven lines over, in order, and answers', async () => {
    expect(adapter.health()).toEqual({ state: 'on' });
    const heard = await say('sb_fake\ntask list\r\n\n@7 task create "Fix login"\n');
    expect(heard).toBe('ok\n  done\n  and dusted\nok\n  done\n  and dusted\n');
    expect(received.map(({ body, dedupeKey }) => ({ body, dedupeKey }))).toEqual([
      { body: { text: 'task list' }, dedupeKey: undefined },
      { body: { text: 'task create "Fix login"' }, dedupeKey: 'line:7' },
    ]);
  });

  test('refuses what is not proven, without a word to the pipeline', async () => {
    received.length = 0;
    expect(await say('sb_wrong\ntask list\n')).toBe('error\n  Not a valid key.\n');
    expect(received).toEqual([]);
  });

  test('drops a line that never ends', async () => {
    received.length = 0;
    await say(`sb_fake\n${'x'.repeat(200_000)}`);
    expect(received).toEqual([]);
  });
});
