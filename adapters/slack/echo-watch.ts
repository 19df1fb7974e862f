import type { Logger } from 'pino';
import { type Clock, MINUTE, SECOND } from '../../src/domain/clock.ts';

/** When any process last heard anything of Slack: events come to whichever a balancer chooses. */
export interface Hearing {
  load(): Promise<Date | undefined>;
  save(at: Date): Promise<void>;
}

/** How long an echo may take, in milliseconds; it nearly always takes less than a second. */
const PATIENCE = 2 * MINUTE;
/** The clocks of two processes may be so far apart. */
const CLOCKS_APART = 30 * SECOND;
const DEAF =
  'no events arrive though Slack’s API answers: check the request address of the app, and that it subscribes to message.im';

/**
 * Notices that Slack sends nothing any more although its API answers. What we post to a direct conversation comes back to us as
 * a `message.im` event (docs.slack.dev/reference/events/message.im): where neither that nor anything else is heard for two
 * minutes after such a post, by no process, nothing is heard at all. Without a post nothing is judged.
 */
export class EchoWatch {
  readonly #hearing: Hearing;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** The first post after which nothing was heard. */
  #since: Date | undefined;
  /** What was heard and is not shared yet. */
  #heard: Date | undefined;
  #problem: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(hearing: Hearing, clock: Clock, log: Logger) {
    this.#hearing = hearing;
    this.#clock = clock;
    this.#log = log;
  }

  /** Why nothing is heard; undefined as long as that is not known. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks every `interval` milliseconds. */
  start(interval: number): void {
    this.#timer = setInterval(() => void this.look(), interval).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Slack took a message of ours, in this conversation. */
  posted(channel: string | undefined): void {
    if (channel?.startsWith('D') === true) this.#since ??= this.#clock.now();
  }

  /** Slack sent something, whatever it is. */
  heard(): void {
    this.#heard = this.#clock.now();
    this.#hears();
  }

  /** Shares what was heard, and judges. Never rejects: while the database is away nothing is judged. */
  async look(): Promise<void> {
    try {
      await this.#share();
      const since = this.#since;
      if (since === undefined || this.#clock.now().getTime() - since.getTime() < PATIENCE) return;
      const last = await this.#hearing.load();
      if (last && last.getTime() >= since.getTime() - CLOCKS_APART) this.#hears();
      else if (this.#since !== undefined) this.#isDeaf();
    } catch (err) {
      this.#log.warn({ err }, 'whether slack is heard could not be looked at');
    }
  }

  /** Tried again at the next look while that fails: the others have nothing else to go by. */
  async #share(): Promise<void> {
    const heard = this.#heard;
    if (heard === undefined) return;
    await this.#hearing.save(heard);
    if (this.#heard === heard) this.#heard = undefined;
  }

  #hears(): void {
    this.#since = undefined;
    this.#problem = undefined;
  }

  #isDeaf(): void {
    if (this.#problem === undefined) this.#log.warn({ problem: DEAF }, 'slack is deaf');
    this.#problem = DEAF;
  }
}
