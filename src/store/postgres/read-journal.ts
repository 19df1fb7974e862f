import type { JournalEntry } from '../../domain/journal.ts';
import { Connections } from './connections.ts';
import { entriesAfter } from './entries.ts';
import { ENTER } from './group.ts';
import { storageRefusal } from './storage-errors.ts';

const PAGE = 1_000;

/**
 * Every entry of a database, workspace by workspace, oldest first; nothing is written, no server is needed.
 * @throws Error that names the first entry that cannot be read; Refusal when the database cannot be reached.
 */
export async function* readJournal(url: string): AsyncIterable<JournalEntry> {
  const connections = new Connections({ url, lockTimeout: 5_000, most: 1 });
  try {
    const { rows } = await connections.with((session) =>
      session.ask('SELECT name FROM workspaces ORDER BY name'),
    );
    for (const { name } of rows as { name: string }[]) yield* entriesOf(connections, name);
  } catch (error) {
    throw storageRefusal(error, connections.name);
  } finally {
    await connections.close();
  }
}

async function* entriesOf(connections: Connections, workspace: string): AsyncIterable<JournalEntry> {
  for (let after = Number.MIN_SAFE_INTEGER, most = PAGE; ; ) {
    let page: JournalEntry[];
    try {
      page = await pageOf(connections, workspace, after, most);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      if (most === 1)
        throw new Error(`${workspace}: entry ${Math.max(after, 0) + 1} is broken: ${error.message}`, {
          cause: error,
        });
      // One of them cannot be read: those before it can, and are checked first.
      most = 1;
      continue;
    }
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < most) return;
    after = last.seq;
  }
}

function pageOf(
  connections: Connections,
  workspace: string,
  after: number,
  most: number,
): Promise<JournalEntry[]> {
  return connections.with(async (session) => {
    const [, , entries] = await Promise.all([
      session.ask('BEGIN READ ONLY'),
      session.ask(ENTER, [workspace]),
      entriesAfter(session, workspace, after, most),
      session.ask('COMMIT'),
    ]);
    return entries;
  });
}
