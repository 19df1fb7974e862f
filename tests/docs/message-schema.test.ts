import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { published, type JournalEntry, type NewEntry } from '../../src/domain/journal.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/specs/message-schema.md'), 'utf8');
const schema = JSON.parse(/```json\n(.*?)```/s.exec(page)?.[1] ?? '') as Record<string, unknown>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const ajv = new Ajv2020({ allErrors: true });
ajv.addFormat('uuid', UUID).addFormat('date-time', INSTANT);
const valid = ajv.compile(schema);
/** The schema lets readers meet new fields; we ourselves may send none that the page does not name. */
const known = ajv.compile({ ...schema, $id: 'urn:signalbox:event:known', additionalProperties: false });

const entry = (event: string, more: Partial<NewEntry> = {}): NewEntry => ({
  event,
  actor: 'ana',
  target: 'TSK-1',
  correlationId: 'c-1',
  cause: null,
  details: {},
  ...more,
});

describe('the event envelope of docs/specs/message-schema.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-schema-'));
  const store = openSqlite({ path: join(folder, 'signalbox.db') });
  let written: JournalEntry[];

  beforeAll(async () => {
    await store.transaction('main', async (tx) => {
      const first = await tx.append(
        entry('task.created', { details: { title: 'Fix login ✓', priority: 'P0' } }),
      );
      await tx.append(
        entry('job.log-lost', { actor: 'system', cause: first.id, details: { deep: [{ er: null }] } }),
      );
      await tx.append(entry('command.denied', { target: '', details: { token: 'not for the journal' } }));
    });
    written = await store.history('main', 0, 10);
  });
  afterAll(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('describes real entries, field by field', () => {
    expect(written.length).toBe(3);
    for (const e of written) {
      const sent: unknown = JSON.parse(JSON.stringify(published(e)));
      expect(valid(sent), JSON.stringify(valid.errors)).toBe(true);
      expect(known(sent), JSON.stringify(known.errors)).toBe(true);
    }
  });

  test('keeps the chain and redacted secrets inside', () => {
    const sent = JSON.stringify(written.map(published));
    expect(sent).not.toContain('not for the journal');
    for (const inside of ['salt', 'commitment', 'previous', 'hash', 'workspace'])
      expect(sent).not.toContain(`"${inside}"`);
  });

  test.each(['id', 'seq', 'at', 'cause', 'details'])('refuses an event without %s', (field) => {
    const { [field]: _, ...rest } = JSON.parse(JSON.stringify(published(written[0]!))) as Record<
      string,
      unknown
    >;
    expect(valid(rest)).toBe(false);
  });

  test.each([
    ['seq', 0],
    ['at', '2026-11-20'],
    ['id', 'TSK-1'],
    ['version', 2],
    ['event', 'created'],
    ['details', []],
  ])('refuses %s = %j', (field, value) => {
    expect(valid({ ...published(written[0]!), [field]: value })).toBe(false);
  });
});
