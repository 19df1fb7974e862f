import { createRestAdapter } from '../../adapters/rest/index.ts';
import { createFeed } from '../../src/core/live-feed.ts';
import { silent, unlimited } from '../adapters/support/world.ts';
import { adapterContract, type Line } from './adapter.ts';
import { seen, typed, type Ask, type World } from './world.ts';

adapterContract({
  title: 'REST',
  name: 'rest',
  answers: 'in place',
  toldToWait: /^429 retry-after=\d+ .*Try again in \d+ s/,
  showsCorrelation: true,
  lateIs: 'refused',
  lacks: {
    stranger: 'a bearer without a living owner proves nothing',
    deafen: 'it listens itself, on the server of the product',
  },
  async open(world): Promise<Line> {
    const { harness, http, authenticator, receive } = world;
    const keys = { member: await world.key('ben'), viewer: await world.key('vic') };
    const shown: string[] = [];
    return {
      adapter: createRestAdapter({
        http: http.app,
        workspace: harness.workspace,
        authenticator,
        admission: unlimited(),
        commands: harness.commands,
        receive,
        feed: createFeed(harness.store),
        catalog: harness.catalog,
        store: harness.store,
        clock: harness.clock,
        log: silent,
        publicUrl: http.url,
        version: '0.0.0',
      }),
      shown,
      identities: { member: keys.member.identity, viewer: keys.viewer.identity },
      say: async (from, ask, key) => {
        const { bearer } = from === 'viewer' ? keys.viewer : keys.member;
        shown.push(await post(world, bearer, ask, key));
      },
      // The right key id with another secret.
      forge: (ask, key) => post(world, `${keys.member.bearer.slice(0, -6)}AAAAAA`, ask, key),
      close: async () => undefined,
    };
  },
});

async function post({ http }: World, bearer: string, ask: Ask, key?: string): Promise<string> {
  const response = fetch(`${http.url}/v1/commands`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    body: JSON.stringify({ text: typed(ask) }),
  });
  return seen(await response);
}
