import type { ArgumentFault, Refusal } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/json.ts';
import type { Assurance, Outsider } from '../domain/principal.ts';

export const CHANNELS = ['rest', 'websocket', 'webhook', 'slack', 'email', 'terminal'] as const;
export type ChannelName = (typeof CHANNELS)[number];

/** What a command came by: a channel, or what runs by itself. */
export type Via = ChannelName | 'schedule' | 'system';

declare const proven: unique symbol;

/**
 * A sender whose proof was checked at the edge. Only `verified` builds one, and only a channel's verifier calls it
 * (Slack signature + user id, aligned DKIM pass, API key or token, webhook signature).
 */
export interface VerifiedIdentity {
  readonly [proven]: true;
  readonly workspace: string;
  /** `key` (subject: key id), `principal` (subject: name), `slack`, `email`, `github` … */
  readonly channel: string;
  readonly subject: string;
  readonly assurance: Assurance;
  /** What the proof narrows the sender to, beyond the roles: a token's scopes, the commands a webhook's rules name. */
  readonly scopes: readonly string[];
  /** Set where the channel says that this is no full member of the team that it is connected to. */
  readonly outsider?: Outsider;
}

/** Builds the proof. To be called by verifiers alone, after the check; the linter holds other code to that. */
export function verified(identity: Omit<VerifiedIdentity, typeof proven>): VerifiedIdentity {
  return identity as VerifiedIdentity;
}

/** A command in canonical form: what is digested, approved and run. */
export interface Invocation {
  readonly command: string;
  readonly args: JsonObject;
}

/** Where an answer or a notification goes when it is not the reply to an open call. */
export interface Address {
  readonly channel: 'slack' | 'email' | 'webhook' | 'terminal';
  /** Slack channel or user id, mail address, URL. */
  readonly to: string;
  /** Slack thread_ts; the Message-ID that is answered. */
  readonly thread?: string;
  /** The references of the mail thread, the subject, the response_url: what the channel needs to answer in place. */
  readonly context?: JsonObject;
}

export type Body = { readonly text: string } | { readonly command: string; readonly args: unknown };

/** One message of any channel, decoded and proven. */
export interface Inbound {
  readonly channel: ChannelName;
  readonly from: VerifiedIdentity;
  readonly body: Body;
  /** Unique per sender and source: a repeat gets the first answer again. Absent: the sender asked for no such promise. */
  readonly dedupeKey?: string;
  /** Where `yes` and follow-ups belong: a socket, a Slack thread, a mail thread. */
  readonly conversation: string;
  /** Set where the answer goes out through the outbox; absent where the adapter answers the open call. */
  readonly replyTo?: Address;
  /** Where later news of what was asked goes (a job's end), if not to `replyTo`. */
  readonly origin?: Address;
  readonly correlationId?: string;
  /** What led to this message: a webhook's delivery, a job. */
  readonly cause?: string;
  /**
   * What led to it as far as its sender says, outermost first: a job (`Signalbox-Cause`), a delivery, a schedule. Never
   * counted for anybody: it only makes the chain of a run longer.
   */
  readonly causes?: readonly string[];
  /**
   * Whoever caused the message, as its source says without proving it (a webhook's author): counted against them where
   * nobody may approve their own, never for them.
   */
  readonly author?: { readonly channel: string; readonly subject: string };
  /** What the sender holds, as in `If-Match`: entity tags with their quotes on, between commas, or `*`. */
  readonly ifMatch?: string;
  /** Set where the request that this belongs to was counted against the sender's limits already. */
  readonly counted?: true;
  /** A single-use proof beside the identity, such as the token of an approval mail. */
  readonly proof?: string;
  /** Whom the text means, by what stands there in place of their name: `<@U2>` → `T1/U2` on the sender's own channel. */
  readonly people?: ReadonlyMap<string, string>;
  /** Which place a name in the text means, as the channel says: `#ops` → `slack:C1`. */
  readonly places?: ReadonlyMap<string, string>;
}

/** A message, or what takes its place where no message led to a command. */
export type Said = Omit<Inbound, 'channel'> & { readonly channel: Via };

export interface Action {
  readonly label: string;
  readonly invocation: Invocation;
  readonly style?: 'primary' | 'danger';
  /** Arguments that are asked for before it runs, in a form made from the command's own schema; all of them where none is named. */
  readonly asks?: readonly string[];
}

/** One thing that is known of what a card is about. An instant is ISO 8601, and shown in the reader's zone. */
export type Fact =
  | { readonly label: string; readonly text: string }
  | { readonly label: string; readonly at: string };

/** A line of a list, with what can be done about it. */
export interface Item {
  readonly text: string;
  /** A part of the text that is shown letter by letter: what exactly will run. */
  readonly exact?: string;
  readonly actions?: readonly Action[];
}

export interface Section {
  readonly title: string;
  readonly items: readonly Item[];
  /** Said where there are no items. */
  readonly none: string;
  /** Said below them, such as how many more there are. */
  readonly more?: string;
}

/** The same as the reply's text, in parts, for channels that lay them out. */
export interface Card {
  readonly title: string;
  /** Shown letter by letter, in a box of its own: what exactly will run. */
  readonly exact?: string;
  readonly facts?: readonly Fact[];
  /** Plain text below the facts. */
  readonly body?: string;
  readonly sections?: readonly Section[];
}

/** Channel-neutral: cards, modals and mails are renderings of it. Text is plain, one line per fact. */
export interface Reply {
  readonly text: string;
  readonly data?: Json;
  readonly actions?: readonly Action[];
  readonly card?: Card;
  /** What was missing, where it can be filled in: a channel that has forms offers one. */
  readonly form?: Action;
  /** The job that was asked for: where this is told and can be changed, what comes of the job takes its place. */
  readonly job?: string;
  /** The request that can be decided here: where this is told and can be changed, it goes on to say how that stands. */
  readonly approval?: string;
  /** Set by a command that passes on, as its own, what another one answered: `yes`. */
  readonly answer?: Answer;
  /** Set where what was asked is refused, although what the command has written about it stays. */
  readonly refusal?: Refusal;
}

export type Status = 'ok' | 'pending_approval' | 'needs_confirmation' | 'error';

/** What every channel gives back for a message: `POST /v1/commands` returns it as it is. */
export interface Answer {
  readonly id: string;
  readonly status: Status;
  readonly invocation?: Invocation;
  readonly reply: Reply;
  readonly correlationId: string;
  /** With status `error`: the stable code of the refusal. */
  readonly error?: {
    readonly code: string;
    readonly suggestions?: readonly string[];
    readonly retryAfter?: number;
    /** With `invalid_argument`, where one argument is at fault. */
    readonly argument?: ArgumentFault;
  };
}
