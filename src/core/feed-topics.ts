import { Refusal } from '../domain/errors.ts';
import { topicMatches } from './feed.ts';

/** `*`, `job.*`, `job.failed`: what a stream may be asked for. */
const TOPIC = /^(?:\*|[a-z][\w-]*(?:\.[\w-]+)*(?:\.\*)?)$/i;
const MOST = 100;

/** @throws Refusal `malformed` for what is no list of topics, or one of more than 100. */
export function checkTopics(topics: readonly unknown[]): readonly string[] {
  if (topics.length > MOST) throw new Refusal('malformed', `At most ${MOST} topics.`);
  for (const topic of topics)
    if (typeof topic !== 'string' || topic.length > 200 || !TOPIC.test(topic))
      throw new Refusal('malformed', 'A topic is "*", a noun as in "job.*", or an event as in "job.failed".');
  return topics as readonly string[];
}

export function anyMatches(topics: Iterable<string>, event: string): boolean {
  for (const topic of topics) if (topicMatches(topic, event)) return true;
  return false;
}

/** After these a reader may be somebody else, or nobody: what it may read is looked up again. */
const IDENTITY = new Set(['person', 'role', 'key', 'identity', 'config']);

export function touchesIdentity(event: string): boolean {
  return IDENTITY.has(event.slice(0, event.indexOf('.')));
}
