import type { webApi } from '@slack/bolt';
import type { Notifier, Outbound } from '../../src/core/adapter.ts';
import type { Address } from '../../src/core/message.ts';
import { MINUTE, SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { isObject } from '../../src/domain/json.ts';
import { type AccountWatch, isTokenRefused, platformError, waitAfter } from './account.ts';
import type { Rates } from './rates.ts';
import { render } from './rendering/render.ts';

/** Slack's own troubles, which pass. */
export const PASSING: ReadonlySet<string> = new Set([
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'team_added_to_org',
  'accesslimited',
]);

/** Where a message cannot go, however often it is tried. */
const NO_PLACE = new Set([
  'channel_not_found',
  'is_archived',
  'not_in_channel',
  'thread_not_found',
  'user_not_found',
  'user_disabled',
  'restricted_action',
]);

/** Somebody removed the message, or it can no longer be changed: what it was to say is posted anew. */
const UNCHANGEABLE = new Set(['message_not_found', 'cant_update_message', 'edit_window_closed']);

const EVENT_TYPE = 'signalbox_message';
const MOST_LOOKED_AT = 200;
/** Our clock and Slack's may be so far apart, in milliseconds. */
const CLOCKS_APART = MINUTE;

/**
 * Speaks unasked: `externalId` is `<channel>:<ts>`. No request is repeated here; the outbox decides when to try again and
 * keeps the rate per channel, `rates` those per method. Slack has no idempotency key, so before another try the place is looked at for the first.
 */
export function createNotifier(
  client: webApi.WebClient,
  account: AccountWatch,
  rates: Rates,
  posted: (channel: string | undefined) => void,
): Notifier {
  const send = async (to: Address, message: Outbound, held?: Method): Promise<{ externalId: string }> => {
    if (to.channel !== 'slack')
      throw new Refusal('invalid_argument', `Slack cannot reach an address of ${to.channel}.`);
    const turn = turns(rates, to, held);
    const sent = await deliver(client, to, message, { turn, posted }).catch((error: unknown) => {
      throw readable(error, to, account);
    });
    return { externalId: `${sent.channel ?? to.to}:${sent.ts ?? ''}` };
  };
  return {
    send: (to, message) => send(to, message),
    async turn(address, { replaces }, signal) {
      const method = replaces === undefined ? 'chat.postMessage' : 'chat.update';
      await rates.turn(method, address.to, signal);
      return (to, message) => send(to, message, method);
    },
  };
}

type Method = 'chat.postMessage' | 'chat.update';

/** Waits for the turn of a call, unless it is the one whose turn it is already. */
function turns(rates: Rates, { to }: Address, held: Method | undefined): (method: Method) => Promise<void> {
  let left = held;
  return async (method) => {
    if (method === left) left = undefined;
    else await rates.turnSoon(method, to);
  };
}

/** What is done before a call, and after a post. */
interface Around {
  readonly turn: (method: Method) => Promise<void>;
  readonly posted: (channel: string | undefined) => void;
}

async function deliver(
  client: webApi.WebClient,
  to: Address,
  message: Outbound,
  { turn, posted }: Around,
): Promise<{ channel?: string; ts?: string }> {
  // There are always blocks: an update without any would leave those that the message has, and their buttons.
  const content = render(message.reply);
  if (message.replaces !== undefined) {
    try {
      await turn('chat.update');
      return await client.chat.update({ ...parsed(message.replaces), ...content });
    } catch (error) {
      if (!UNCHANGEABLE.has(platformError(error) ?? '')) throw error;
    }
  }
  const before = await earlier(client, to, message);
  if (before !== undefined) {
    // It may have been changed since it was posted.
    await turn('chat.update');
    return client.chat.update({ channel: to.to, ts: before, ...content });
  }
  await turn('chat.postMessage');
  const sent = await client.chat.postMessage({
    channel: to.to,
    ...content,
    metadata: { event_type: EVENT_TYPE, event_payload: { key: message.key } },
    unfurl_links: false,
    unfurl_media: false,
    ...(to.thread === undefined ? {} : { thread_ts: to.thread }),
  });
  posted(sent.channel);
  return sent;
}

/**
 * The id of a message that an earlier try posted, its answer lost: by the key that its metadata carry
 * (docs.slack.dev/messaging/message-metadata). Undefined where there is none, or it cannot be told: a person's direct
 * conversation has another id than the person, and the history may be closed to us; the post then says what is wrong.
 */
async function earlier(
  client: webApi.WebClient,
  { to, thread }: Address,
  { key, triedSince, replaces }: Outbound,
): Promise<string | undefined> {
  if (triedSince === undefined || !/^[CDG]/.test(to)) return undefined;
  const oldest = ((triedSince.getTime() - CLOCKS_APART) / SECOND).toFixed(6);
  const page = { channel: to, oldest, limit: MOST_LOOKED_AT, include_all_metadata: true };
  try {
    const { messages = [] } = await (thread === undefined
      ? client.conversations.history(page)
      : client.conversations.replies({ ...page, ts: thread }));
    // Not the one that could just not be changed.
    return messages.find(({ ts, ...posted }) => keyOf(posted) === key && `${to}:${ts}` !== replaces)?.ts;
  } catch (error) {
    const word = platformError(error);
    if (word === undefined || word === 'ratelimited' || PASSING.has(word)) throw error;
    return undefined;
  }
}

function keyOf({ metadata }: { readonly metadata?: unknown }): unknown {
  if (!isObject(metadata) || metadata['event_type'] !== EVENT_TYPE) return undefined;
  const payload = metadata['event_payload'];
  return isObject(payload) ? payload['key'] : undefined;
}

function parsed(externalId: string): { channel: string; ts: string } {
  const [, channel, ts] = /^([A-Z0-9]+):(\d+\.\d+)$/.exec(externalId) ?? [];
  if (channel === undefined || ts === undefined)
    throw new Refusal('invalid_argument', `"${externalId}" is not a Slack message: expected <channel>:<ts>.`);
  return { channel, ts };
}

/** Refusals for what the outbox has to know; anything else means: try again later. */
function readable(error: unknown, to: Address, account: AccountWatch): unknown {
  if (error instanceof Refusal) return error;
  const wait = waitAfter(error);
  if (wait !== undefined)
    return new Refusal('rate_limited', 'Slack asks to wait.', { retryAfter: wait, cause: error });
  const word = platformError(error);
  if (word === undefined || PASSING.has(word))
    return new Error('Slack did not take the message.', { cause: error });
  if (isTokenRefused(word)) {
    account.tokenRefused(word);
    return new Refusal('unauthenticated', `Slack refuses the bot token (${word}).`, { cause: error });
  }
  const code = NO_PLACE.has(word) ? 'not_found' : 'invalid_argument';
  return new Refusal(code, `Slack cannot deliver to ${to.to}: ${word}.`, { cause: error });
}
