import type { Stage } from './job.ts';
import type { JsonObject } from './json.ts';
import { int, json, maybe, table, text, time } from './table.ts';

/** The first answer to a keyed message; the id is the key's digest. */
export const receipts = table('receipts', {
  digest: text(),
  answer: json<unknown>(),
  expiresAt: time(),
});

/** Outgoing messages; written with the effect they tell of, sent until accepted or dead. */
export const outbox = table('outbox', {
  /** Stable over retries; unique in the workspace. */
  key: text(),
  channel: text(),
  /** One lane per destination: sent one after another, and in order but for posts. */
  lane: text(),
  address: json<unknown>(),
  reply: json<unknown>(),
  /** `withdrawn`: no longer of use; if it was on its way just then, `reply` takes its place. */
  state: text<'queued' | 'sent' | 'dead' | 'withdrawn'>(),
  attempts: int(),
  nextAt: time(),
  externalId: maybe(text()),
  error: maybe(text()),
  createdAt: time(),
});

/** A reading that waits for `yes` by the same person in the same conversation. */
export const confirmations = table('confirmations', {
  principal: text(),
  conversation: text(),
  command: text(),
  args: json<JsonObject>(),
  expiresAt: time(),
});

/** Journal events routed to an address. */
export const subscriptions = table('subscriptions', {
  ref: text(), // SUB-3
  principal: text(),
  patterns: json<readonly string[]>(),
  /** What the key that subscribed was narrowed to; delivery is, too. */
  scopes: json<readonly string[]>(),
  address: json<unknown>(),
  /** The last sequence that was routed. */
  cursor: int(),
  createdAt: time(),
});

/** Exclusive ownership for a time; the fence rises with each new holder. The id is the lease's name. */
export const leases = table('leases', {
  holder: text(),
  fence: int(),
  expiresAt: time(),
});

/** Single-use codes that tie a channel's user to a person; the id is the SHA-256 of the code. */
export const linkCodes = table('link_codes', {
  channel: text(),
  subject: text(),
  assurance: text(),
  expiresAt: time(),
});

/** Our own RS256 keys; the id is the `kid`. Published before they sign, kept until the last token is over. */
export const signingKeys = table('signing_keys', {
  privatePem: text(),
  publicJwk: json<JsonObject>(),
  signsFrom: time(),
  retiresAt: time(),
});

/** Single-use refresh tokens; the id is the SHA-256 of the token. Using one twice ends its family. */
export const refreshTokens = table('refresh_tokens', {
  family: text(),
  key: text(), // keys.id it descends from: revoking the key ends its tokens
  principal: text(),
  scopes: json<readonly string[]>(),
  expiresAt: time(),
  usedAt: maybe(time()),
});

/** One-time tickets for browsers' WebSocket upgrade; the id is the SHA-256 of the ticket. */
export const tickets = table('tickets', {
  identity: json<JsonObject>(),
  expiresAt: time(),
});

/** How far a mailbox was read; the id is the mailbox. */
export const mailboxes = table('mailboxes', {
  uidValidity: text(),
  lastUid: int(),
});

/** Jobs that came to an end without success, and reports that did not arrive: kept until somebody deals with them. */
export const deadLetters = table('dead_letters', {
  job: text(), // jobs.ref
  runbook: text(),
  stage: text<Stage>(),
  reason: text(),
  /** Of a report: the key of the message that was given up. */
  message: maybe(text()),
  at: time(),
  /** Redriven, dismissed, or done again as another job. */
  settledAt: maybe(time()),
  settledBy: maybe(text()),
});

/** What was done outside: one immutable row for each request or program that a try ran, whatever came of it. */
export const effects = table('effects', {
  job: text(), // jobs.ref
  attempt: int(),
  /** The step's name, and whether it was made or undone; null where the runbook has none. */
  step: maybe(text()),
  phase: maybe(text<'forward' | 'compensating'>()),
  kind: text<'http' | 'shell' | 'probe' | 'remote' | 'notify'>(),
  /** Where to: an origin and path, a program, a worker. */
  target: text(),
  /** The key of the message that asked for the job, if it had one. */
  inboundKey: maybe(text()),
  /** The `Idempotency-Key` that went out. */
  outboundKey: text(),
  /** `done 201`, `exit 0`, `timeout` … */
  outcome: text(),
  /** SHA-256 over the RFC 8785 form of the result. */
  digest: text(),
  startedAt: time(),
  endedAt: time(),
});

/** Arguments of a runbook that were saved under a name. */
export const presets = table('presets', {
  name: text(),
  runbook: text(),
  args: json<JsonObject>(),
  createdBy: text(),
  /** Everybody who chose them: whoever runs the preset asks for what they chose. */
  chain: json<readonly string[]>(),
  createdAt: time(),
});

/** What runs used in a period; the id names both: `workspace|day:2026-11-20`, `runbook:deploy|month:2026-11`. */
export const usageTotals = table('usage_totals', {
  scope: text(),
  period: text(),
  runs: int(),
  units: json<Readonly<Record<string, number>>>(),
  /** Millionths of the currency. */
  cost: int(),
});

/** Whose Home was opened lately, so that it is kept right; the id is the proven identity: `slack:T1/U2`. */
export const homes = table('homes', {
  openedAt: time(),
});
