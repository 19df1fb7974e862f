import { canonical, sha256, type Json, type JsonObject } from './json.ts';
import { int, json, maybe, table, text, time } from './table.ts';

/**
 * The journal's rows, for reading: `append` alone writes them, and the database refuses to change or delete any but to
 * erase details and salt together.
 */
export const journal = table('journal', {
  seq: int(),
  at: time(),
  event: text(),
  actor: text(),
  target: text(),
  correlationId: text(),
  cause: maybe(text()),
  details: json<JsonObject | null>(),
  salt: maybe(text()),
  commitment: text(),
  previous: text(),
  hash: text(),
});

/** What is appended; the store adds id, sequence, instant and chain. */
export interface NewEntry {
  /** `task.created`, `job.failed`, `command.denied`: what subscriptions and topics match. */
  readonly event: string;
  /** Who: a principal's name, or `system`. */
  readonly actor: string;
  /** What it happened to: `TSK-12`, `JOB-3`, a person's name, a probe's name. */
  readonly target: string;
  readonly correlationId: string;
  /** The id of the entry or inbound message that led to this one. */
  readonly cause: string | null;
  readonly details: JsonObject;
}

/** The published envelope (docs/specs/message-schema.md), with the chain. */
export interface JournalEntry extends NewEntry {
  readonly id: string;
  /** Version of the envelope. */
  readonly version: 1;
  readonly workspace: string;
  readonly seq: number;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
  /** Empty and absent once erased; the chain holds all the same. */
  readonly details: JsonObject;
  readonly salt: string | null;
  readonly commitment: string;
  readonly previous: string;
  readonly hash: string;
}

/** What the first entry of a workspace's chain points back to. */
export const GENESIS = '0'.repeat(64);

/** The salted commitment of the details, so that they can be erased and guessing them from the hash is hopeless. */
export function commit(salt: string, details: Json): string {
  return sha256(salt + canonical(details));
}

type Hashed = Pick<
  JournalEntry,
  | 'version'
  | 'id'
  | 'workspace'
  | 'seq'
  | 'at'
  | 'event'
  | 'actor'
  | 'target'
  | 'correlationId'
  | 'cause'
  | 'commitment'
  | 'previous'
>;

/** The entry's hash: SHA-256 over a JSON array in this fixed order, so nothing but strings and numbers is canonicalized. */
export function chainHash(e: Hashed): string {
  return sha256(
    JSON.stringify([
      e.version,
      e.previous,
      e.workspace,
      e.seq,
      e.id,
      e.at,
      e.event,
      e.actor,
      e.target,
      e.correlationId,
      e.cause,
      e.commitment,
    ]),
  );
}

/** The envelope as it goes out on streams and exports' readers: without salt and chain. */
export function published(e: JournalEntry) {
  const { id, version, seq, event, at, actor, target, correlationId, cause, details } = e;
  return {
    type: 'event',
    id,
    version,
    seq,
    event,
    at,
    actor,
    target,
    correlationId,
    cause,
    details,
  } as const;
}

export type ChainFault = { readonly seq: number; readonly reason: string };

/** Details without their salt cannot be checked, so there may be none. */
const isErased = (details: JsonObject): boolean => Object.keys(details).length === 0;

/**
 * Checks one entry against its predecessor's sequence and hash.
 * Returns what is wrong, or nothing. Erased details (no salt) are accepted: the commitment still stands in the chain.
 */
export function checkLink(e: JournalEntry, expectedSeq: number, previous: string): ChainFault | undefined {
  if (e.seq !== expectedSeq)
    return { seq: expectedSeq, reason: `entry ${expectedSeq} is missing; found ${e.seq}` };
  if (e.previous !== previous) return { seq: e.seq, reason: 'it does not follow the entry before it' };
  const whole = e.salt === null ? isErased(e.details) : commit(e.salt, e.details) === e.commitment;
  if (!whole) return { seq: e.seq, reason: 'its details were changed' };
  if (chainHash(e) !== e.hash) return { seq: e.seq, reason: 'its hash does not match its content' };
  return undefined;
}
