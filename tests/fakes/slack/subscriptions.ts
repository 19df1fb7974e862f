import { EVENTS } from './methods.ts';

/** What the app hears of: events that it subscribed to and has the scope for. */
export class Subscriptions {
  readonly #events: readonly string[];
  readonly #scopes: readonly string[];

  constructor(events: readonly string[], scopes: readonly string[]) {
    this.#events = events;
    this.#scopes = scopes;
  }

  /** `app_mention`, `message.im` … */
  hears(event: string): boolean {
    const scope = EVENTS[event];
    return this.#events.includes(event) && (scope === undefined || this.#scopes.includes(scope));
  }

  /** Slash commands and shortcuts. */
  get hasCommands(): boolean {
    return this.#scopes.includes('commands');
  }
}
