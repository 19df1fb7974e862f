import type { webApi } from '@slack/bolt';
import type { Logger } from 'pino';
import type { Receive } from '../../src/core/adapter.ts';
import { refusalAnswer } from '../../src/core/answer.ts';
import { newId } from '../../src/core/ids.ts';
import { verified, type VerifiedIdentity } from '../../src/core/message.ts';
import { MINUTE, SECOND, type Clock } from '../../src/domain/clock.ts';
import { asRefusal, Refusal } from '../../src/domain/errors.ts';
import type { Outsider } from '../../src/domain/principal.ts';
import { type AccountWatch, isTokenRefused, platformError, retryAfter } from './account.ts';

/** How long an answer of Slack's is taken as it is, and how long it stands while Slack gives no other. */
const FRESH = 5 * MINUTE;
const STANDS = 30 * MINUTE;
const MOST = 5_000;
/** A sender is answered within three seconds, and the command needs its part of them. */
const WITHIN = 1.5 * SECOND;

/** Whom Slack does not show to us is none of ours. */
const UNSEEN = new Set(['user_not_found', 'user_not_visible', 'users_not_found']);
/** `users.info` calls it no bot (docs.slack.dev/reference/objects/user-object). */
const SLACKBOT = 'USLACKBOT';

/** What Slack says of a user; no team of somebody whom it does not show to us. */
interface Member {
  readonly team: string | undefined;
  readonly outsider: Outsider | undefined;
}

export interface MembersOptions {
  readonly client: webApi.WebClient;
  readonly account: AccountWatch;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds that a question may take; one and a half seconds unless told. */
  readonly within?: number | undefined;
}

/** Knows of each sender whether they are a full member of our team, by `users.info`, remembered for some minutes. */
export class Members {
  readonly #options: MembersOptions;
  /** The one that was asked about longest ago comes first. */
  readonly #known = new Map<string, { readonly member: Member; readonly at: number }>();
  readonly #asking = new Map<string, Promise<Member>>();
  #quietUntil = 0;

  constructor(options: MembersOptions) {
    this.#options = options;
  }

  /**
   * The identity as far as Slack vouches for it: with the user's own team, and with what they are if no full member of
   * ours. @throws Refusal `unavailable` when Slack does not say, `forbidden` for what an app says with a person's token.
   */
  async vouchFor(identity: VerifiedIdentity): Promise<VerifiedIdentity> {
    const ours = this.#options.account.account?.team;
    const [said = '', user = ''] = identity.subject.split('/');
    const member = await this.#member(user);
    // It has the person's id, and nobody knows whether the person chose the words.
    if (identity.outsider === 'bot' && member.outsider !== 'bot')
      throw new Refusal('forbidden', 'What an app says in the name of a person is not taken for theirs.');
    const team = said === ours ? (member.team ?? said) : said;
    const isAbroad = team !== ours && (member.outsider === undefined || member.outsider === 'guest');
    const outsider = isAbroad ? 'stranger' : member.outsider;
    const { outsider: _, ...proven } = identity;
    return verified({ ...proven, subject: `${team}/${user}`, ...(outsider && { outsider }) });
  }

  async #member(user: string): Promise<Member> {
    const { clock, log } = this.#options;
    const known = this.#known.get(user);
    const age = known === undefined ? Number.POSITIVE_INFINITY : clock.now().getTime() - known.at;
    if (known !== undefined && age < FRESH) return known.member;
    try {
      return await this.#inTime(user);
    } catch (error) {
      if (known !== undefined && age < STANDS) return known.member;
      log.warn({ err: error, user }, 'slack did not say who somebody is');
      throw this.#unavailable(error);
    }
  }

  /** Slack's answer may come later than anybody waits for it: it is there for the next time. */
  #inTime(user: string): Promise<Member> {
    const asking = this.#asking.get(user) ?? this.#ask(user);
    const { promise, reject } = Promise.withResolvers<never>();
    const within = this.#options.within ?? WITHIN;
    const timer = setTimeout(() => reject(new Error(`no answer within ${within} ms`)), within);
    return Promise.race([asking, promise]).finally(() => clearTimeout(timer));
  }

  #ask(user: string): Promise<Member> {
    const asking = this.#look(user).finally(() => this.#asking.delete(user));
    this.#asking.set(user, asking);
    // Whoever waits for it hears of the error; later nobody does.
    asking.catch(() => undefined);
    return asking;
  }

  async #look(user: string): Promise<Member> {
    const { client, clock } = this.#options;
    if (clock.now().getTime() < this.#quietUntil) throw new Error('Slack asked to wait');
    let member: Member;
    try {
      const { user: found } = await client.users.info({ user });
      // Who is nobody's member by the answer would otherwise be taken for a full one of ours.
      if (!found?.team_id) throw new Error('users.info names no team');
      member = { team: found.team_id, outsider: outsiderOf(user, found) };
    } catch (error) {
      const seconds = retryAfter(error);
      if (seconds !== undefined) this.#quietUntil = clock.now().getTime() + seconds * SECOND;
      if (!UNSEEN.has(platformError(error) ?? '')) throw error;
      member = { team: undefined, outsider: 'stranger' };
    }
    this.#known.delete(user);
    this.#known.set(user, { member, at: clock.now().getTime() });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST && oldest !== undefined) this.#known.delete(oldest);
    return member;
  }

  #unavailable(cause: unknown): Refusal {
    const word = platformError(cause);
    if (word !== undefined && isTokenRefused(word)) this.#options.account.tokenRefused(word);
    const why = word === 'missing_scope' ? ' (the app lacks the scope users:read; reinstall it)' : '';
    return new Refusal('unavailable', `Slack does not say at present who you are${why}. Try again.`, {
      cause,
    });
  }
}

type Found = NonNullable<Awaited<ReturnType<webApi.WebClient['users']['info']>>['user']>;

/** Another team is told by the team's id: `is_stranger` is false for those who share a channel with us. */
function outsiderOf(user: string, found: Found): Outsider | undefined {
  if (found.deleted === true) return 'deactivated';
  if (found.is_bot === true || user === SLACKBOT) return 'bot';
  if (found.is_stranger === true) return 'stranger';
  return found.is_restricted === true || found.is_ultra_restricted === true ? 'guest' : undefined;
}

/** Hands on only what comes from somebody of whom Slack said who they are; other messages are refused here. */
export function vouched(receive: Receive, members: Members): Receive {
  return async (message) => {
    let from: VerifiedIdentity;
    try {
      from = await members.vouchFor(message.from);
    } catch (error) {
      const id = newId();
      return refusalAnswer(id, message.correlationId ?? id, asRefusal(error));
    }
    return receive({ ...message, from });
  };
}
