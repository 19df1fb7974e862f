import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, test } from 'vitest';
import { loadConfig, type Config } from '../../src/config/index.ts';
import { syncCatalog } from '../../src/core/catalog-sync.ts';
import { keyParts, secretMatches } from '../../src/core/secrets.ts';
import type { Table } from '../../src/domain/table.ts';
import { keys, principals } from '../../src/domain/principal.ts';
import { ensureAdmin } from '../../src/admin.ts';
import { runDoctor, runMigrate, runToken } from '../../src/operate.ts';
import { openSqlite, type SqliteStore } from '../../src/store/sqlite/store.ts';
import { tempFolder } from '../support/temp.ts';

const YAML = `
workspace: main
roles:
  viewer: ['task:read']
people:
  vic: { roles: [viewer] }
`;

const EXAMPLE = resolve(import.meta.dirname, '../../examples/signalbox.yaml');

let config: Config;
let file: string;
beforeEach(async () => {
  const cwd = tempFolder();
  writeFileSync(join(cwd, 'signalbox.yaml'), YAML);
  file = join(cwd, 'data', 'signalbox.db');
  config = await loadConfig({ env: { SIGNALBOX_DB: file }, cwd });
});

async function output<T>(
  work: (out: { write(text: string): unknown }) => Promise<T>,
): Promise<{ code: T; text: string }> {
  let text = '';
  const code = await work({ write: (chunk) => (text += chunk) });
  return { code, text };
}
async function opened<T>(work: (store: SqliteStore) => Promise<T>): Promise<T> {
  const store = openSqlite({ path: file });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
/** What a start of the server does with the people of the configuration. */
const started = () => opened((store) => store.transaction('main', (tx) => syncCatalog(tx, config.catalog)));
const rows = <T extends Table>(table: T) =>
  opened((store) => store.transaction('main', (tx) => tx.find(table, { orderBy: [{ column: 'id' }] })));
const good = async (token: string, owner: string) => {
  const { id, secret } = keyParts(token.trim());
  const key = (await rows(keys)).find((row) => row.id === id);
  return key?.principal === owner && key.revokedAt === null && secretMatches(secret, key.hash);
};

describe('signalbox migrate', () => {
  test('makes the database, and says the schema; again it changes nothing', async () => {
    const first = await output((out) => runMigrate(config, out));
    expect(first).toMatchObject({
      code: 0,
      text: expect.stringMatching(/has this version's schema \(\d+\)\.\n$/),
    });
    expect(await output((out) => runMigrate(config, out))).toEqual(first);
  });

  test('refuses the database of a newer version', async () => {
    await output((out) => runMigrate(config, out));
    const db = new Database(file);
    db.pragma('user_version = 999');
    db.close();
    await expect(runMigrate(config, { write: () => undefined })).rejects.toThrow(/newer/);
  });
});

describe('signalbox token', () => {
  beforeEach(() => output((out) => runMigrate(config, out)));

  test('prints a key of the administrator, whom it creates where there is none', async () => {
    const { code, text } = await output((out) => runToken(config, undefined, out));
    expect(code).toBe(0);
    expect(text).toMatch(/^sb_[\w-]+\n$/);
    expect(await good(text, 'admin')).toBe(true);
    expect(await rows(keys)).toHaveLength(1);
    const again = await output((out) => runToken(config, 'admin', out));
    expect(again.text).not.toBe(text);
    expect(await good(again.text, 'admin')).toBe(true);
    expect(await good(text, 'admin')).toBe(true);
  });

  test('prints one for somebody else without using up the administrator’s first', async () => {
    await started();
    const { text } = await output((out) => runToken(config, 'vic', out));
    expect(await good(text, 'vic')).toBe(true);
    expect(await opened((store) => ensureAdmin(store, 'main', undefined))).toMatch(/^sb_/);
  });

  test('knows nobody else, nor whoever was removed', async () => {
    await expect(runToken(config, 'nobody', { write: () => undefined })).rejects.toMatchObject({
      code: 'not_found',
    });
    await started();
    await opened((store) =>
      store.transaction('main', async (tx) => {
        const row = await tx.get(principals, { name: 'vic' });
        if (row) await tx.update(principals, row, { disabled: true });
      }),
    );
    await expect(runToken(config, 'vic', { write: () => undefined })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  test('leaves only digests behind', async () => {
    const { text } = await output((out) => runToken(config, undefined, out));
    expect(readFileSync(file).includes(keyParts(text.trim()).secret)).toBe(false);
  });
});

describe('signalbox doctor', () => {
  test('looks at configuration, database, journal and channels', async () => {
    await started();
    await output((out) => runToken(config, undefined, out));
    const { code, text } = await output((out) => runDoctor(config, out));
    expect(code).toBe(0);
    expect(text).toMatch(/^✓ Node 2/);
    for (const line of [
      /✓ configuration: .*signalbox\.yaml/,
      /✓ database: .*schema \d/,
      /✓ journal: \d+ entries hold/,
    ])
      expect(text).toMatch(line);
    expect(text).toMatch(/○ slack: off; turn it on with .*SLACK_BOT_TOKEN/);
    expect(text).toMatch(/○ email: off; turn it on with /);
  });

  test('makes no database, which is nothing wrong before the first start', async () => {
    const { code, text } = await output((out) => runDoctor(config, out));
    expect(code).toBe(0);
    expect(text).toContain(`○ database: no database yet at ${file}; \`signalbox start\` makes it\n`);
    expect(text).toMatch(/○ slack: off/);
    expect(text).not.toContain('journal:');
    expect(existsSync(file)).toBe(false);
    expect(existsSync(dirname(file))).toBe(false);
  });

  test('names what nobody can approve, until the database has somebody', async () => {
    const cwd = tempFolder();
    const guarded = await loadConfig({
      env: { SIGNALBOX_DB: file, SIGNALBOX_CONFIG: EXAMPLE },
      cwd,
    });
    const note = 'Runbook deploy needs 1 approver of role approver;';
    const told = async () => (await output((out) => runDoctor(guarded, out))).text;
    expect(await told()).toContain(`${note} the file names none, so add one: person add NAME`);
    await opened((store) =>
      store.transaction('main', async (tx) => {
        await syncCatalog(tx, guarded.catalog);
        await tx.insert(principals, {
          id: tx.id(),
          name: 'ben',
          kind: 'person',
          display: 'Ben',
          roles: ['approver'],
          disabled: true,
          origin: 'command',
          createdBy: null,
          createdAt: tx.now,
        });
      }),
    );
    expect(await told()).toContain(`${note} there is none, so add one: person add NAME`);
    await opened((store) =>
      store.transaction('main', async (tx) => {
        const row = await tx.get(principals, { name: 'ben' });
        if (row) await tx.update(principals, row, { disabled: false });
      }),
    );
    expect(await told()).not.toContain('needs 1 approver');
  });

  const broken = async (set: string) => {
    await output((out) => runMigrate(config, out));
    await output((out) => runToken(config, undefined, out));
    const db = new Database(file);
    db.exec('DROP TRIGGER journal_no_update');
    db.prepare(`UPDATE journal SET ${set} WHERE seq = 2`).run();
    db.close();
    return output((out) => runDoctor(config, out));
  };

  test.each([
    [`actor = 'eve'`, 'its hash does not match'],
    [`details = '{"x":1}'`, 'its details were changed'],
    [`salt = NULL`, 'its details were changed'],
    [`details = '{'`, 'JSON'],
  ])('names the broken entry of a journal (%s) and ends with 1', async (set, why) => {
    const { code, text } = await broken(set);
    expect(code).toBe(1);
    expect(text).toMatch(/✗ journal: .*entry 2 is broken/);
    expect(text).toContain(why);
  });

  test('names a file that is no database', async () => {
    await output((out) => runMigrate(config, out));
    writeFileSync(file, 'hello '.repeat(1_000));
    const { code, text } = await output((out) => runDoctor(config, out));
    expect(code).toBe(1);
    expect(text).toMatch(/✗ database: .*is not a Signalbox database/);
    expect(text).toMatch(/○ slack: off/);
  });
});

describe('the first administrator', () => {
  const ensure = (chosen?: string) => opened((store) => ensureAdmin(store, 'main', chosen));
  const admin = async () => (await rows(principals)).find((p) => p.name === 'admin');

  test('is made with a key that is shown once', async () => {
    const token = await ensure();
    expect(await good(token ?? '', 'admin')).toBe(true);
    expect(await admin()).toMatchObject({ kind: 'person', roles: ['admin'], disabled: false });
    expect(await ensure()).toBeUndefined();
    const entries = await opened((store) => store.history('main', 0, 9));
    expect(entries.map((e) => e.event)).toEqual(['person.added', 'key.created']);
    expect(JSON.stringify(entries)).not.toContain(keyParts(token ?? '').secret);
  });

  test('gets the chosen token instead, which is never shown, and an earlier chosen one ends', async () => {
    expect(await ensure('a-chosen-token-of-tests')).toBeUndefined();
    expect(await good('a-chosen-token-of-tests', 'admin')).toBe(true);
    const before = (await rows(keys)).length;
    await ensure('a-chosen-token-of-tests');
    expect(await rows(keys)).toHaveLength(before);
    await ensure('another-chosen-token-of-tests');
    expect(await good('a-chosen-token-of-tests', 'admin')).toBe(false);
    expect(await good('another-chosen-token-of-tests', 'admin')).toBe(true);
    await ensure('a-chosen-token-of-tests');
    expect(await good('a-chosen-token-of-tests', 'admin')).toBe(true);
  });

  test('keeps the keys that were not chosen', async () => {
    const token = (await ensure()) ?? '';
    await ensure('a-chosen-token-of-tests');
    expect(await good(token, 'admin')).toBe(true);
  });
});
