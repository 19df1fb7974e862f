import { setImmediate as turn } from 'node:timers/promises';
import type { Http } from '../../adapters/http.ts';
import { issueKey } from '../../src/admin.ts';
import { ownAlone } from '../../src/core/owned.ts';
import type { Adapter, Receive } from '../../src/core/adapter.ts';
import type { Authenticator } from '../../src/core/authenticator.ts';
import { createAuthenticator } from '../../src/core/bearer.ts';
import type { Answer } from '../../src/core/message.ts';
import { keyParts } from '../../src/core/secrets.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { tasks } from '../../src/domain/task.ts';
import { OutboxWorker } from '../../src/worker/outbox.ts';
import { listening, silent } from '../adapters/support/world.ts';
import { createHarness, type Harness } from '../support/harness.ts';

/** Who speaks in the suite: one who may open tasks, one who may not, and one who is proven but linked to nobody. */
export type Sender = 'member' | 'viewer' | 'stranger';

/** The people behind them in the harness's catalog; of a stranger's name nothing is known. */
export const PEOPLE: Record<Sender, string> = { member: 'ben', viewer: 'vic', stranger: 'eve' };

/** What is asked for: a command that there is, or one that there is not. */
export interface Ask {
  readonly command: 'task.create' | 'task.crate';
  readonly title: string;
}

/** An ask as people type it. */
export const typed = ({ command, title }: Ask): string => `${command.replace('.', ' ')} "${title}"`;

/** The whole pipeline on a real database, a server, and a gate in front of the pipeline. */
export interface World {
  readonly harness: Harness;
  readonly http: Http & { readonly url: string };
  readonly authenticator: Authenticator;
  readonly receive: Receive;
  /** How many messages were handed over, answered or not. */
  readonly received: () => number;
  readonly answers: readonly Answer[];
  /** Messages wait in front of the pipeline from now on; `entered` resolves with the first one. */
  hold(): { readonly entered: Promise<void>; release(): void };
  /** A new API key of a person, and the identity that it proves. */
  key(person: string): Promise<{ readonly bearer: string; readonly identity: string }>;
  titles(): Promise<string[]>;
  /** Delivers what waits in the outbox, from now on. */
  deliverBy(adapter: Adapter): void;
  close(): Promise<void>;
}

export async function createWorld(over: Partial<Catalog>): Promise<World> {
  const harness = await createHarness(over);
  const { store, clock, workspace } = harness;
  const http = await listening();
  const authenticator = createAuthenticator({
    store,
    clock,
    workspace,
    issuer: http.url,
    resolvePrincipal: (tx, identity) => harness.directory.resolve(tx, identity),
  });
  const { gate, ...gated } = gateTo(harness.receive);
  let outbox: OutboxWorker | undefined;
  return {
    harness,
    http,
    authenticator,
    ...gated,
    async key(person) {
      const bearer = await store.transaction(workspace, (tx) => issueKey(tx, person, 'contract'));
      return { bearer, identity: `key:${keyParts(bearer).id}` };
    },
    titles: async () => {
      const rows = await store.transaction(workspace, (tx) => tx.find(tasks));
      return rows.map((row) => row.title).toSorted();
    },
    deliverBy({ name, notifier }) {
      if (!notifier) return;
      const notifiers = new Map([[name, notifier]]);
      outbox = new OutboxWorker({ store, workspace, own: ownAlone, clock, log: silent, notifiers });
      void outbox.start();
    },
    async close() {
      gate.release();
      await outbox?.stop(AbortSignal.abort());
      await http.close(AbortSignal.abort());
      authenticator.close();
      await harness.close();
    },
  };
}

function gateTo(receive: Receive) {
  const answers: Answer[] = [];
  const gate = { entered: Promise.withResolvers<void>(), open: Promise.resolve(), release: () => {} };
  let received = 0;
  return {
    gate,
    answers,
    received: () => received,
    async receive(message: Parameters<Receive>[0]): Promise<Answer> {
      received += 1;
      gate.entered.resolve();
      await gate.open;
      const answer = await receive(message);
      answers.push(answer);
      return answer;
    },
    hold() {
      const closed = Promise.withResolvers<void>();
      const entered = Promise.withResolvers<void>();
      Object.assign(gate, { entered, open: closed.promise, release: closed.resolve });
      return { entered: entered.promise, release: closed.resolve };
    },
  };
}

/** What an HTTP client sees: status, `Retry-After` where there is one, and body. */
export async function seen(response: Response): Promise<string> {
  const wait = response.headers.get('retry-after');
  return `${response.status} ${wait === null ? '' : `retry-after=${wait} `}${await response.text()}`;
}

/** Some turns of the event loop: what would wrongly happen at once has happened by then. */
export async function turns(count = 20): Promise<void> {
  for (let n = 0; n < count; n++) await turn();
}
