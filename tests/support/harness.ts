import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pino from 'pino';
import { commands } from '../../commands/index.ts';
import type { Receive } from '../../src/core/adapter.ts';
import { syncCatalog } from '../../src/core/catalog-sync.ts';
import type { Command, CommandSet } from '../../src/core/command.ts';
import { createCommandSet } from '../../src/core/command-set.ts';
import { createDirectory, type Directory } from '../../src/core/directory.ts';
import { createDispatcher } from '../../src/core/dispatch.ts';
import { createLanguage } from '../../src/core/language/index.ts';
import type { Language } from '../../src/core/language.ts';
import { createAdmission } from '../../src/core/limits.ts';
import { verified, type Answer, type Body, type Inbound } from '../../src/core/message.ts';
import type { Store } from '../../src/core/store.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import type { JournalEntry } from '../../src/domain/journal.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import { openTestPostgres } from './postgres.ts';
import { testCatalog } from './catalog.ts';

export { testCatalog };

export interface TestClock {
  now(): Date;
  /** Moves time on by milliseconds. */
  pass(milliseconds: number): void;
}

export function testClock(start = '2026-03-02T09:00:00.000Z'): TestClock {
  let at = Date.parse(start);
  return {
    now: () => new Date(at),
    pass: (milliseconds) => {
      at += milliseconds;
    },
  };
}

export interface Harness {
  readonly store: Store;
  readonly clock: TestClock;
  readonly catalog: Catalog;
  readonly commands: CommandSet;
  readonly language: Language;
  readonly directory: Directory;
  readonly receive: Receive;
  readonly workspace: string;
  /** The database file. */
  readonly file: string;
  /** Messages that a rate limit refused, as `channel scope`. */
  readonly limited: readonly string[];
  /** Runs one command as a person, on the terminal unless told otherwise. */
  run(who: string, body: string | Body, over?: Partial<Inbound>): Promise<Answer>;
  /** The journal so far. */
  entries(): Promise<JournalEntry[]>;
  close(): Promise<void>;
}

let template: Buffer | undefined;

/** A file of this version's schema: to make one takes longer than most tests. */
async function schemaFile(folder: string): Promise<Buffer> {
  if (!template) {
    const path = join(folder, 'template.db');
    await openSqlite({ path }).close();
    template = readFileSync(path);
  }
  return template;
}

/** SQLite, unless TEST_DATABASE=postgres asks for all of a run's harnesses on PostgreSQL. */
async function usual(path: string, clock: TestClock): Promise<Store> {
  if (process.env['TEST_DATABASE'] === 'postgres') return openTestPostgres(path, clock);
  writeFileSync(path, await schemaFile(dirname(path)));
  return openSqlite({ path, clock });
}

/** A real SQLite file, or another store, with the whole pipeline and every command on it, and people to act. */
export async function createHarness(
  over: Partial<Catalog> = {},
  more: readonly Command[] = [],
  open: (path: string, clock: TestClock) => Promise<Store> = usual,
): Promise<Harness> {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
  const clock = testClock();
  const file = join(folder, 'test.db');
  const store = await open(file, clock);
  const catalog = testCatalog(over);
  const set = createCommandSet([...commands, ...more]);
  const language = createLanguage(set);
  const directory = createDirectory(catalog, (name) => {
    const needs = set.find(name)?.needs;
    return needs === 'none' ? undefined : needs;
  });
  await store.transaction('main', (tx) => syncCatalog(tx, catalog));
  const limited: string[] = [];
  let ids = 0;
  const receive = createDispatcher({
    store,
    catalog,
    commands: set,
    language,
    directory,
    admission: createAdmission(catalog.limits, (channel, scope) => limited.push(`${channel} ${scope}`)),
    clock,
    newId: () => `m${(ids += 1)}`,
    log: pino({ level: 'silent' }),
    health: () => ({ channels: {} }),
  });
  return {
    store,
    clock,
    catalog,
    commands: set,
    language,
    directory,
    receive,
    workspace: 'main',
    file,
    limited,
    run: (who, body, message = {}) =>
      receive({
        channel: 'terminal',
        from: verified({
          workspace: 'main',
          channel: 'principal',
          subject: who,
          assurance: 'local',
          scopes: ['*'],
        }),
        body: typeof body === 'string' ? { text: body } : body,
        conversation: `terminal:${who}`,
        ...message,
      }),
    entries: () => store.history('main', 0, 10_000),
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
