import { z } from 'zod';
import type { Inbound } from '../../../src/core/message.ts';
import { printable } from '../../../src/core/printable.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { click, id, inbound, parsed, placeOf, team, type Receiver } from '../decode.ts';
import { plain } from '../rendering/text.ts';

/** Which form is asked for, as the value of a button has it; no argument named asks for all. */
export interface Wanted {
  readonly command: string;
  readonly args: JsonObject;
  readonly asks: readonly string[];
}

/** Where what comes of a form is told. */
export interface Place {
  readonly channel: string;
  readonly thread?: string | undefined;
  /** Five uses until `until`, in epoch milliseconds; absent where Slack gives none, as in App Home. */
  readonly responseUrl?: string | undefined;
}

/** What travels in a form's view and comes back with it, signed by Slack: people can neither see nor change it. */
export interface Memo extends Wanted {
  /** How often it was sent with an answer that stands: each sending runs once. */
  readonly attempt: number;
  readonly place: Place;
  /** When the `response_url` ends. */
  readonly until: number;
}

/** Somebody wants a form; a trigger opens one view, within three seconds. */
export interface Opening {
  readonly trigger: string;
  readonly place: Place;
}

/** What cannot be answered in place is answered otherwise. */
const responseUrl = z.url().optional().catch(undefined);
const args = z.record(z.string(), z.json());
const wanted = z.object({ command: z.string(), args, asks: z.array(z.string()).default([]) });
const place = z.object({ channel: id, thread: id.optional(), responseUrl });
const memo = wanted.extend({ attempt: z.int().min(0), place, until: z.number() });

const slash = z.object({ trigger_id: id, channel_id: id, response_url: responseUrl });

const formClick = click.extend({
  response_url: responseUrl,
  actions: z.tuple([z.object({ value: fromText(wanted) })]).rest(z.unknown()),
});

const shortcut = z.object({
  callback_id: id,
  trigger_id: id,
  response_url: responseUrl,
  channel: z.object({ id }),
  message: z.object({ ts: id, thread_ts: id.optional(), text: z.string().default('') }),
});

const submission = z.object({
  user: z.object({ id, team_id: team }),
  view: z.object({
    id,
    private_metadata: fromText(memo),
    state: z.object({
      values: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))),
    }),
  }),
});

/** The place of a slash command's own answer. */
export function fromSlash(payload: unknown): Opening {
  const { trigger_id: trigger, channel_id: channel, response_url } = parsed(slash, payload);
  return { trigger, place: { channel, responseUrl: response_url } };
}

/** A button that opens a form. */
export function fromFormButton(payload: unknown): Opening & { wanted: Wanted } {
  const clicked = parsed(formClick, payload);
  const { trigger_id, actions, response_url } = clicked;
  return {
    trigger: trigger_id,
    wanted: actions[0].value,
    place: { ...placeOf(clicked), responseUrl: response_url },
  };
}

/** Somebody makes something of a message. `teamUrl` is the team's address, of `auth.test`. */
export function fromShortcut(
  payload: unknown,
  teamUrl: string,
): Opening & { callback: string; message: { text: string; link: string } } {
  const { callback_id, trigger_id, response_url, channel, message } = parsed(shortcut, payload);
  const { ts, thread_ts: thread, text } = message;
  // A link to an answer in a thread names the thread, as Slack's own do (docs.slack.dev/reference/methods/chat.getPermalink).
  const within = thread === undefined || thread === ts ? '' : `?thread_ts=${thread}&cid=${channel.id}`;
  return {
    trigger: trigger_id,
    callback: callback_id,
    // What no argument may hold would only come back as an error that its sender cannot see.
    message: {
      text: printable(plain(text)),
      link: `${teamUrl}archives/${channel.id}/p${ts.replace('.', '')}${within}`,
    },
    place: { channel: channel.id, thread, responseUrl: response_url },
  };
}

/** A form that was sent: what travelled with it, what was filled in, and the message that it becomes with arguments. */
export function fromSubmission(payload: unknown, to: Receiver) {
  const { user, view } = parsed(submission, payload);
  const { private_metadata: sent, state } = view;
  const { channel, thread } = sent.place;
  return {
    memo: sent,
    user: user.id,
    state: state.values,
    /** The key holds for one sending: a second click, or a delivery that is repeated, gets the first answer. */
    message: (filled: JsonObject): Inbound => ({
      ...inbound(
        to,
        { user: user.id, team: user.team_id },
        `view:${view.id}:${sent.attempt}`,
        { body: { command: sent.command, args: filled } },
        `${channel}:${thread ?? user.id}`,
      ),
      origin: {
        channel: 'slack',
        to: channel,
        ...(thread !== undefined && { thread }),
        context: { user: user.id },
      },
    }),
  };
}

/** What a text holds as JSON. */
function fromText<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'expected JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);
}
