import type { Problem } from './problem.ts';
import type { Variables } from './variables.ts';

export type Switch<T> =
  | ({ readonly on: true } & T)
  /** Off, with what to set to turn it on. */
  | { readonly on: false; readonly turnOnWith: string };

export interface SlackSettings {
  readonly botToken: string;
  /** Proves requests in HTTP mode; Socket Mode goes without. */
  readonly signingSecret: string | undefined;
  /** Set: Socket Mode. */
  readonly appToken: string | undefined;
  readonly teamId: string | undefined;
  readonly apiUrl: string | undefined;
}

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte; false: STARTTLS. */
  readonly secure: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** PEM certificates to trust besides the system's. */
  readonly ca: string | undefined;
}

export interface EmailSettings {
  readonly address: string;
  /** Milliseconds between two looks at the mailbox, should its push fail. */
  readonly pollInterval: number;
  readonly imap: MailServer & { readonly user: string; readonly password: string };
  readonly smtp: MailServer;
}

const SLACK_ON =
  'SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET, or SLACK_BOT_TOKEN and SLACK_APP_TOKEN for Socket Mode (docs/slack-setup.md)';
const EMAIL_NEEDS = ['EMAIL_ADDRESS', 'IMAP_HOST', 'IMAP_USER', 'IMAP_PASSWORD', 'SMTP_HOST'] as const;

/** Says that a channel is half set; the names are those that are missing. */
export type HalfSet = (channel: string, missing: string, setNames: readonly string[]) => void;

export function slackSettings(set: Variables, halfSet: HalfSet): Switch<SlackSettings> {
  const off = { on: false, turnOnWith: SLACK_ON } as const;
  const given = namesSet(set, [
    'SLACK_BOT_TOKEN',
    'SLACK_SIGNING_SECRET',
    'SLACK_APP_TOKEN',
    'SLACK_TEAM_ID',
  ]);
  if (given.length === 0) return off;
  const { SLACK_BOT_TOKEN: botToken, SLACK_SIGNING_SECRET: signingSecret, SLACK_APP_TOKEN: appToken } = set;
  const proof = signingSecret ?? appToken;
  if (botToken === undefined || proof === undefined) {
    const missing = [
      ...(botToken === undefined ? ['SLACK_BOT_TOKEN'] : []),
      ...(proof === undefined ? ['SLACK_SIGNING_SECRET or SLACK_APP_TOKEN'] : []),
    ];
    halfSet('Slack', missing.join(' and '), given);
    return off;
  }
  return {
    on: true,
    botToken,
    signingSecret,
    appToken,
    teamId: set.SLACK_TEAM_ID,
    apiUrl: set.SLACK_API_URL,
  };
}

export function emailSettings(set: Variables, halfSet: HalfSet): Switch<EmailSettings> {
  const off = { on: false, turnOnWith: `${EMAIL_NEEDS.join(', ')} (docs/email-setup.md)` } as const;
  const given = namesSet(set, [...EMAIL_NEEDS, 'SMTP_USER', 'SMTP_PASSWORD']);
  if (given.length === 0) return off;
  const missing: string[] = EMAIL_NEEDS.filter((name) => set[name] === undefined);
  if ((set.SMTP_USER === undefined) !== (set.SMTP_PASSWORD === undefined))
    missing.push(set.SMTP_USER === undefined ? 'SMTP_USER' : 'SMTP_PASSWORD');
  const { EMAIL_ADDRESS: address, IMAP_HOST, IMAP_USER, IMAP_PASSWORD, SMTP_HOST } = set;
  if (missing.length > 0) halfSet('Email', missing.join(', '), given);
  if (!address || !IMAP_HOST || !IMAP_USER || !IMAP_PASSWORD || !SMTP_HOST || missing.length > 0) return off;
  return {
    on: true,
    address,
    pollInterval: set.EMAIL_POLL_INTERVAL,
    imap: {
      host: IMAP_HOST,
      port: set.IMAP_PORT ?? (set.IMAP_SECURE ? 993 : 143),
      secure: set.IMAP_SECURE,
      user: IMAP_USER,
      password: IMAP_PASSWORD,
      ca: set.IMAP_CA,
    },
    smtp: {
      host: SMTP_HOST,
      port: set.SMTP_PORT ?? (set.SMTP_SECURE ? 465 : 587),
      secure: set.SMTP_SECURE,
      user: set.SMTP_USER,
      password: set.SMTP_PASSWORD,
      ca: set.SMTP_CA,
    },
  };
}

const namesSet = (set: Variables, names: readonly (keyof Variables)[]): string[] =>
  names.filter((name) => set[name] !== undefined);

export const halfSetProblem = (
  channel: string,
  missing: string,
  given: readonly string[],
  place: Pick<Problem, 'file' | 'line' | 'column'>,
): Problem => ({
  code: 'SBX102',
  ...place,
  message: `${channel} is half set: ${given.join(', ')} ${given.length === 1 ? 'is' : 'are'} there, ${missing} missing.`,
  mend: `Set ${missing} too, or remove the others to leave ${channel} off.`,
});
