import { createHmac } from 'node:crypto';
import { createWebhookAdapter } from '../../adapters/webhook/index.ts';
import type { Rule, Source } from '../../src/domain/catalog.ts';
import { silent } from '../adapters/support/world.ts';
import { testCatalog } from '../support/harness.ts';
import { adapterContract, type Line } from './adapter.ts';
import { PEOPLE, seen, type Ask, type Sender, type World } from './world.ts';

const SECRET = 'fake-webhook-secret';

/** GitHub's ids of the authors: the viewer's is linked, the stranger's is not. A member's message names none. */
const AUTHORS: Partial<Record<Sender, number>> = { viewer: 1001, stranger: 6666 };

const rule = (name: string, command: Ask['command'], as?: string): Rule => ({
  name,
  when: `payload.ask == "${command}" && ${as === undefined ? '!' : ''}has(payload.author)`,
  command,
  args: { title: 'payload.title' },
  as,
});
const source: Source = {
  name: 'ci',
  kind: 'github',
  secrets: ['CI_SECRET'],
  signatureHeader: undefined,
  deliveryHeader: undefined,
  rules: [
    rule('create', 'task.create'),
    rule('create as the author', 'task.create', 'payload.author'),
    rule('unknown', 'task.crate'),
  ],
};
const principals = testCatalog().principals.map((person) =>
  person.name === PEOPLE.viewer
    ? { ...person, identities: [{ channel: 'github', subject: String(AUTHORS.viewer) }] }
    : person,
);

adapterContract({
  title: 'webhook',
  name: 'webhook',
  answers: 'in place',
  toldToWait: /^429 retry-after=\d+ .*Try again in \d+ s/,
  showsCorrelation: true,
  lateIs: 'refused',
  // With a second source, so that one that lost its secret makes the channel deaf and not off.
  catalog: {
    sources: new Map([source, { ...source, name: 'cd', rules: [] }].map((each) => [each.name, each])),
    principals,
  },
  async open(world): Promise<Line> {
    const { harness, http, receive } = world;
    const shown: string[] = [];
    let secrets = [SECRET];
    let deliveries = 0;
    return {
      adapter: createWebhookAdapter({
        workspace: harness.workspace,
        sources: harness.catalog.sources,
        secrets: (name) => (name === 'ci' ? secrets : [SECRET]),
        receive,
        http: http.app,
        clock: harness.clock,
        log: silent,
      }),
      shown,
      identities: {
        member: 'source:ci',
        viewer: `github:${AUTHORS.viewer}`,
        stranger: `github:${AUTHORS.stranger}`,
      },
      async say(from, ask, key) {
        const body = payload(ask, AUTHORS[from]);
        shown.push(await post(world, body, key ?? `unkeyed-${(deliveries += 1)}`, SECRET));
      },
      forge: (ask, key) => post(world, payload(ask), key, 'not-the-secret'),
      deafen: async () => {
        secrets = [];
      },
      close: async () => undefined,
    };
  },
});

const payload = ({ command, title }: Ask, author?: number): string =>
  JSON.stringify({ ask: command, title, ...(author !== undefined && { author }) });

async function post({ http }: World, body: string, delivery: string, secret: string): Promise<string> {
  const response = fetch(`${http.url}/webhooks/ci`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'ask',
      'x-github-delivery': delivery,
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    },
    body,
  });
  return seen(await response);
}
