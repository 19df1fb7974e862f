import type { webApi } from '@slack/bolt';
import type { Logger } from 'pino';
import { SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';

/** Who the bot token says we are. */
export interface Account {
  readonly team: string;
  readonly botUser: string;
  readonly botId: string;
  /** The team's address, with a slash at its end: what links to messages begin with. */
  readonly url: string;
}

/** Slack's words for a token that will not work however often it is tried. */
const REFUSED = new Set([
  'invalid_auth',
  'not_authed',
  'account_inactive',
  'token_revoked',
  'token_expired',
  'not_allowed_token_type',
  'missing_scope',
  'app_uninstalled',
]);

export const isTokenRefused = (error: string): boolean => REFUSED.has(error);

/** Knows our account and whether the token still works; asks Slack again every now and then. */
export class AccountWatch {
  readonly #client: webApi.WebClient;
  readonly #expected: string | undefined;
  readonly #log: Logger;
  #account: Account | undefined;
  #problem: string | undefined = 'not asked who we are yet';
  #timer: NodeJS.Timeout | undefined;

  constructor(client: webApi.WebClient, expectedTeam: string | undefined, log: Logger) {
    this.#client = client;
    this.#expected = expectedTeam;
    this.#log = log;
  }

  /** Undefined until Slack said who we are: nothing can be judged to be ours before. */
  get account(): Account | undefined {
    return this.#account;
  }

  /** Why the token does not work; undefined when it does. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Asks once, then every `interval` milliseconds. Slack being away is no reason not to start.
   * @throws Refusal `unauthenticated` when Slack refuses the token, or it belongs to another team.
   */
  async start(interval: number): Promise<void> {
    await this.#ask();
    this.#timer = setInterval(() => void this.#ask().catch(() => undefined), interval).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Noted where a call other than our own question is refused for the token's sake. */
  tokenRefused(error: string): void {
    this.#note(`Slack refuses the bot token (${error})`);
  }

  async #ask(): Promise<void> {
    try {
      const { team_id, user_id, bot_id, url = 'https://slack.com/' } = await this.#client.auth.test();
      if (!team_id || !user_id || !bot_id)
        throw new Error('auth.test named no bot: use a bot token (xoxb-…)');
      if (this.#expected !== undefined && team_id !== this.#expected)
        throw new Refusal(
          'unauthenticated',
          `The bot token is of Slack team ${team_id}, not ${this.#expected}.`,
        );
      this.#account = { team: team_id, botUser: user_id, botId: bot_id, url };
      this.#note(undefined);
    } catch (error) {
      const refusal = asTokenRefusal(error);
      this.#note(
        refusal?.message ?? `auth.test failed (${error instanceof Error ? error.message : String(error)})`,
      );
      if (refusal) throw refusal;
    }
  }

  #note(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem) this.#log.warn({ problem }, 'slack is deaf');
    this.#problem = problem;
  }
}

/** The platform error's own word, such as `channel_not_found`; undefined for errors of another kind. */
export function platformError(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('data' in error)) return undefined;
  const { data } = error;
  if (typeof data !== 'object' || data === null || !('error' in data)) return undefined;
  return typeof data.error === 'string' ? data.error : undefined;
}

/** Seconds that Slack asks to wait after a 429; undefined for errors of another kind, our own refusals with milliseconds too. */
export function retryAfter(error: unknown): number | undefined {
  if (!(error instanceof Error) || error instanceof Refusal || !('retryAfter' in error)) return undefined;
  return typeof error.retryAfter === 'number' ? error.retryAfter : undefined;
}

/** Milliseconds until Slack takes another call, by what it says or by its rates; undefined for errors of another kind. */
export function waitAfter(error: unknown): number | undefined {
  if (error instanceof Refusal && error.code === 'rate_limited') return error.retryAfter ?? SECOND;
  const seconds = retryAfter(error) ?? (platformError(error) === 'ratelimited' ? 1 : undefined);
  return seconds === undefined ? undefined : seconds * SECOND;
}

/** A refusal of the token as something an operator can act on; undefined for errors that may pass. */
export function asTokenRefusal(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  const word = platformError(error);
  if (word === undefined || !isTokenRefused(word)) return undefined;
  return new Refusal(
    'unauthenticated',
    `Slack refuses the token (${word}): check it, and reinstall the app.`,
    {
      cause: error,
    },
  );
}
