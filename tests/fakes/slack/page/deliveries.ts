import { Unable, type Deed } from './deeds.ts';
import type { Outcome } from './world.ts';

/** As many as the drawer shows. */
const KEPT = 50;

/** One line of the page's drawer. */
export interface DeliveryLine {
  readonly at: string;
  readonly what: string;
  /** HTTP status; 0 for an acknowledgement that never came, absent where nothing was delivered. */
  readonly status?: number;
  readonly milliseconds?: number;
  readonly error?: string;
}

/** The last deliveries, newest first. */
export class Deliveries {
  readonly lines: DeliveryLine[] = [];
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  add(done: Deed, outcome: Outcome | undefined, error: string | undefined): void {
    const taken =
      outcome === undefined || outcome.isUnheard === true
        ? {}
        : { status: outcome.status, milliseconds: Math.round(outcome.milliseconds) };
    const wrong = error === undefined ? {} : { error };
    this.lines.unshift({ at: this.#now().toISOString(), what: titleOf(done), ...taken, ...wrong });
    this.lines.splice(KEPT);
  }
}

function titleOf(done: Deed): string {
  switch (done.what) {
    case 'command':
    case 'message':
      return done.text.length > 60 ? `${done.text.slice(0, 59)}…` : done.text;
    case 'edit':
      return 'edit a message';
    case 'delete':
      return 'delete a message';
    case 'click':
      return `click ${done.action}`;
    case 'home':
      return 'open App Home';
    case 'submit':
      return 'submit the modal';
    case 'close':
      return 'close the modal';
    case 'shortcut':
      return `shortcut ${done.callback}`;
  }
}

/** What is wrong with how the app took a delivery, in words; undefined when nothing is. */
export function complaint(outcome: Outcome | undefined): string | undefined {
  if (outcome === undefined || outcome.isUnheard === true) return undefined;
  if (outcome.status >= 200 && outcome.status < 300) return undefined;
  if (outcome.status === 0) return 'Signalbox did not acknowledge within three seconds.';
  if (outcome.status === 401) return 'Signalbox answered 401: it holds another signing secret.';
  if (outcome.status === 404)
    return 'Signalbox answered 404: Slack is off there, or it runs in Socket Mode and is not connected.';
  return `Signalbox answered ${outcome.status}.`;
}

/** An error as the person reads it. */
export function inWords(error: unknown, target: string): string {
  if (error instanceof Unable) return error.message;
  if (error instanceof TypeError && error.message === 'fetch failed')
    return `Signalbox cannot be reached at ${target}. Start it, then try again; nothing that was typed is lost.`;
  return error instanceof Error ? error.message : String(error);
}
