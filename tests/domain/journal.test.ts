import { describe, expect, test } from 'vitest';
import {
  chainHash,
  checkLink,
  commit,
  GENESIS,
  published,
  type JournalEntry,
} from '../../src/domain/journal.ts';

function entry(over: Partial<JournalEntry> = {}): JournalEntry {
  const salt = '00ff';
  const details = { title: 'Fix login' };
  const link = {
    version: 1 as const,
    id: 'e1',
    workspace: 'main',
    seq: 1,
    at: '2026-03-02T09:00:00.000Z',
    event: 'task.created',
    actor: 'ana',
    target: 'TSK-1',
    correlationId: 'm1',
    cause: null,
    details,
    salt,
    commitment: commit(salt, details),
    previous: GENESIS,
  };
  return { ...link, hash: chainHash(link), ...over };
}

describe('a link of the chain', () => {
  test('holds', () => {
    expect(checkLink(entry(), 1, GENESIS)).toBeUndefined();
  });

  test('holds when details and salt were erased together', () => {
    expect(checkLink(entry({ details: {}, salt: null }), 1, GENESIS)).toBeUndefined();
  });

  test('does not hold when the salt alone is gone: other details could stand there', () => {
    expect(checkLink(entry({ salt: null, details: { title: 'Harmless' } }), 1, GENESIS)).toMatchObject({
      seq: 1,
      reason: expect.stringContaining('details'),
    });
    expect(checkLink(entry({ details: {} }), 1, GENESIS)).toMatchObject({ seq: 1 });
  });

  test.each<[keyof JournalEntry, unknown]>([
    ['id', 'e2'],
    ['workspace', 'other'],
    ['at', '2026-03-02T09:00:00.001Z'],
    ['event', 'task.moved'],
    ['actor', 'eve'],
    ['target', 'TSK-2'],
    ['correlationId', 'm2'],
    ['cause', 'm1'],
    ['details', { title: 'Fix logins' }],
    ['salt', '00fe'],
    ['commitment', GENESIS],
    ['previous', 'f'.repeat(64)],
    ['hash', GENESIS],
    ['seq', 2],
  ])('does not hold with another %s', (field, value) => {
    expect(checkLink(entry({ [field]: value }), 1, GENESIS)).toBeDefined();
  });

  test('an entry in another place is named by what is missing', () => {
    expect(checkLink(entry(), 3, GENESIS)).toEqual({ seq: 3, reason: 'entry 3 is missing; found 1' });
  });
});

test('the published envelope carries neither salt nor chain', () => {
  expect(Object.keys(published(entry()))).toEqual([
    'type',
    'id',
    'version',
    'seq',
    'event',
    'at',
    'actor',
    'target',
    'correlationId',
    'cause',
    'details',
  ]);
});
