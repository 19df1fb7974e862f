import { SECOND, type Clock } from '../../../src/domain/clock.ts';
import { ApiRefusal } from './api-refusal.ts';

/** A trigger lives for three seconds (docs.slack.dev/interactivity/handling-user-interaction, "Using triggers"). */
const LIFE = 3 * SECOND;

interface Trigger {
  readonly user: string;
  readonly until: number;
  used: boolean;
}

/** What a person's act lets the app open once. */
export class Triggers {
  readonly #issued = new Map<string, Trigger>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new one, or the given one; a repeated act has the trigger that it had. */
  issue(user: string, wanted?: string): string {
    const count = this.#issued.size + 1;
    const id = wanted ?? `${1_000_000 + count}.${2_000_000 + count}.${count.toString(16).padStart(32, 'f')}`;
    if (!this.#issued.has(id))
      this.#issued.set(id, { user, until: this.#clock.now().getTime() + LIFE, used: false });
    return id;
  }

  /** Uses one up; gives the user. @throws ApiRefusal in the words of docs.slack.dev/reference/methods/views.open. */
  exchange(id: unknown): string {
    const trigger = this.#issued.get(String(id));
    if (trigger === undefined)
      throw new ApiRefusal('invalid_trigger_id', 'views.open: this trigger_id was never given');
    if (trigger.used) throw new ApiRefusal('exchanged_trigger_id', 'views.open: a trigger_id opens one view');
    if (this.#clock.now().getTime() > trigger.until) throw new ApiRefusal('expired_trigger_id');
    trigger.used = true;
    return trigger.user;
  }
}
