import type { Logger } from 'pino';
import type { HttpApp, Receive } from '../../src/core/adapter.ts';
import type { CommandSet } from '../../src/core/command.ts';
import type { Homes } from '../../src/core/homes.ts';
import type { Own } from '../../src/core/owned.ts';
import type { Clock } from '../../src/domain/clock.ts';
import type { Hearing } from './echo-watch.ts';
import type { Lateness } from './late.ts';

export interface SlackOptions {
  /** The workspace of ours that the Slack team belongs to. */
  readonly workspace: string;
  /** The Slack team; asked of Slack when absent, checked against the token when given. */
  readonly teamId?: string | undefined;
  /** Needed without `appToken`. */
  readonly signingSecret?: string | undefined;
  readonly botToken: string;
  /** Switches from HTTP to Socket Mode. */
  readonly appToken?: string | undefined;
  /** Web API address, such as `https://slack.com/api/`, when it is not Slack's. */
  readonly apiUrl?: string | undefined;
  readonly receive: Receive;
  /** What forms are made of, and what tells reading from changing. */
  readonly commands: CommandSet;
  /** Who has opened their Home; absent: nobody has one. */
  readonly homes?: Homes;
  readonly http: HttpApp;
  readonly clock: Clock;
  readonly log: Logger;
  /** The slash command; `/signalbox` unless told. */
  readonly commandPrefix?: string;
  /** Milliseconds between two looks at the token; a minute unless told. */
  readonly checkEvery?: number;
  /** Milliseconds between two looks for one person's Home; five seconds unless told. */
  readonly homeEvery?: number;
  /** Milliseconds that a sender waits at most until Slack says who they are; one and a half seconds unless told. */
  readonly askWithin?: number;
  /** How many times faster than Slack's rates, for a Slack whose clock runs as much faster; 1 unless told. */
  readonly speed?: number;
  /** Two seconds, and two more tries, unless told. */
  readonly lateness?: Lateness;
  /** Called for each request that proved nothing, to be counted: forged traffic leaves no rows. */
  readonly onRefused?: () => void;
  /** One process holds the Socket Mode connection, the others stand by; this one is alone unless given. */
  readonly own?: Own;
  /** What the processes tell one another of when they heard something; this one is alone unless given. */
  readonly hearing?: Hearing;
}
