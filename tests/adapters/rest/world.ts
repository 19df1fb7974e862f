import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { createRestAdapter, type RestOptions } from '../../../adapters/rest/index.ts';
import type { Answer, Inbound } from '../../../src/core/message.ts';
import { testCatalog } from '../../support/catalog.ts';
import {
  commandSet,
  fakeAuthenticator,
  listening,
  memoryFeed,
  now,
  principalOf,
  silent,
  stillClock,
  stubReceive,
  unlimited,
  WORKSPACE,
} from '../support/world.ts';

type Call = Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string> };

/** The adapter on a real server, with everything behind it in memory; calls are ana's unless they say otherwise. */
export async function restWorld(options: Partial<RestOptions> = {}) {
  const http = await listening();
  const people = new Map([['ana', principalOf('ana')]]);
  const authenticator = fakeAuthenticator(people);
  const journal = memoryFeed();
  const clock = stillClock();
  const stub = stubReceive();
  const admission = options.admission ?? unlimited();
  const adapter = createRestAdapter({
    http: http.app,
    workspace: WORKSPACE,
    authenticator: authenticator.authenticator,
    admission,
    commands: commandSet,
    receive: stub.receive,
    feed: journal.feed,
    catalog: testCatalog(),
    store: { read: () => Promise.reject(new Error('there is no database')) },
    clock,
    log: silent,
    publicUrl: 'https://signalbox.example.test',
    version: '0.1.0',
    ...options,
  });
  await adapter.start();
  const call = (path: string, init: Call = {}) =>
    fetch(http.url + path, { ...init, headers: { authorization: 'Bearer test-ana', ...init.headers } });
  return {
    http,
    people,
    authenticator,
    admission,
    journal,
    clock,
    adapter,
    messages: stub.messages,
    answerWith: (answer: (message: Inbound) => Answer) => {
      stub.answer = answer;
    },
    call,
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      call(path, {
        method: 'POST',
        ...(body !== undefined && { body: JSON.stringify(body) }),
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      }),
    /** Sends bytes as they are; resolves with everything that came back. */
    raw: async (request: string): Promise<string> => {
      const socket = connect(Number(new URL(http.url).port), '127.0.0.1');
      socket.write(request);
      return text(socket);
    },
    close: async () => {
      await adapter.stop(now());
      await http.close(now());
    },
  };
}
