import { checkTopics } from '../../src/core/feed-topics.ts';
import type { Answer, Body } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { decodeBody, parseJson } from '../http.ts';

/** What a client may send. Docs: `docs/specs/streams.md`. */
export type ClientFrame =
  | { readonly type: 'command'; readonly id: string; readonly body: Body }
  | {
      readonly type: 'subscribe';
      readonly topics: readonly string[];
      /** Goes on after this sequence; from now unless given. */
      readonly after?: number;
      /** For the log topics of this frame: goes on after this cursor; from the first line unless given. */
      readonly cursor?: number;
    }
  /** Without topics: all of them. */
  | { readonly type: 'unsubscribe'; readonly topics?: readonly string[] };

export type Fields = Readonly<Record<string, unknown>>;

/** @throws Refusal `malformed` unless the bytes are a JSON object. */
export function fieldsOf(bytes: Buffer): Fields {
  const value = parseJson(bytes);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refusal('malformed', 'Expected one JSON object per frame.');
  return value as Fields;
}

/** @throws Refusal `malformed` saying what the frame should have looked like. */
export function decodeFrame(fields: Fields): ClientFrame {
  switch (fields['type']) {
    case 'command':
      return decodeCommand(fields);
    case 'subscribe':
      return decodeSubscribe(fields);
    case 'unsubscribe': {
      const { topics } = only(fields, ['topics']);
      return topics === undefined
        ? { type: 'unsubscribe' }
        : { type: 'unsubscribe', topics: topicsOf(topics) };
    }
    default:
      throw new Refusal('malformed', 'type: expected "command", "subscribe" or "unsubscribe".');
  }
}

function decodeCommand(fields: Fields): ClientFrame {
  const { type: _, id, ...body } = fields;
  if (!isId(id)) throw new Refusal('malformed', 'id: expected a string of 1 to 200 characters.');
  return { type: 'command', id, body: decodeBody(body) };
}

export function isId(id: unknown): id is string {
  return typeof id === 'string' && id.length > 0 && id.length <= 200;
}

function decodeSubscribe(fields: Fields): ClientFrame {
  const { topics, after, cursor } = only(fields, ['topics', 'after', 'cursor']);
  return {
    type: 'subscribe',
    topics: topicsOf(topics),
    ...(after !== undefined && { after: positionOf('after', after) }),
    ...(cursor !== undefined && { cursor: positionOf('cursor', cursor) }),
  };
}

function topicsOf(topics: unknown): readonly string[] {
  if (!Array.isArray(topics) || topics.length === 0)
    throw new Refusal('malformed', 'topics: expected a list such as ["job.*", "log.JOB-12"].');
  return checkTopics(topics);
}

function positionOf(name: string, value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new Refusal('malformed', `${name}: expected a whole number from 0.`);
  return value as number;
}

function only(fields: Fields, known: readonly string[]): Fields {
  for (const name of Object.keys(fields))
    if (name !== 'type' && !known.includes(name))
      throw new Refusal('malformed', `"${name.slice(0, 50)}" is unknown; known: ${known.join(', ')}.`);
  return fields;
}

/** The reply to a command; `id` is the client's own. */
export function replyFrame(id: string, answer: Answer): string {
  return JSON.stringify({ type: 'reply', ...answer, id });
}

/** A frame that could not be taken, with its id where it had one. */
export function errorFrame({ code, message }: Refusal, id: string | undefined): string {
  return JSON.stringify({ type: 'error', id, code, message });
}
