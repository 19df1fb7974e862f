import type { App, Receiver, ReceiverEvent } from '@slack/bolt';
import type { Logger } from 'pino';
import { z } from 'zod';

/** A payload that is proven to be Slack's, over either transport. */
export interface Delivery {
  readonly body: Record<string, unknown>;
  readonly retryNum?: number;
  readonly retryReason?: string;
}

/** What the transport tells Slack: 200 with the answer, 403 to give up, 500 and 503 to deliver it again. */
export interface Handled {
  readonly status: 200 | 403 | 500 | 503;
  readonly body?: unknown;
}

/**
 * The one way from both transports into Bolt. Bolt acknowledges an event before its listeners ran; here Slack is told
 * only after the effect is durable, so that a crash in between makes Slack deliver it again.
 */
export class Intake implements Receiver {
  readonly #log: Logger;
  readonly #team: () => string | undefined;
  readonly #heard: () => void;
  readonly #running = new Set<Promise<void>>();
  #app: App | undefined;
  #open = false;

  /**
   * `team` is the one team whose installation of the app is ours; undefined while that is not known. `heard` is
   * called with each payload of it.
   */
  constructor(team: () => string | undefined, log: Logger, heard: () => void = () => undefined) {
    this.#team = team;
    this.#log = log;
    this.#heard = heard;
  }

  init(app: App): void {
    this.#app = app;
  }

  start(): Promise<void> {
    this.#open = true;
    return Promise.resolve();
  }

  /** Refuses what comes from now on. */
  stop(): Promise<void> {
    this.#open = false;
    return Promise.resolve();
  }

  /** Resolves when what runs is done, or at the deadline. */
  async drain(deadline: AbortSignal): Promise<void> {
    if (deadline.aborted) return;
    const over = new Promise<void>((resolve) => {
      deadline.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([Promise.all(this.#running), over]);
  }

  async handle({ body, retryNum, retryReason }: Delivery): Promise<Handled> {
    const team = this.#team();
    if (!this.#open || this.#app === undefined || team === undefined) return { status: 503 };
    if (!isFor(team, body)) {
      this.#log.warn({ type: body['type'] }, 'slack payload of another team refused');
      return { status: 403 };
    }
    this.#heard();
    const { promise, resolve } = Promise.withResolvers<Handled>();
    const isEvent = body['type'] === 'event_callback';
    const event: ReceiverEvent = {
      body,
      ack: (answer: unknown) => {
        if (!isEvent) resolve({ status: 200, body: answer });
        return Promise.resolve();
      },
      ...(retryNum === undefined ? {} : { retryNum }),
      ...(retryReason === undefined ? {} : { retryReason }),
    };
    const run = this.#process(this.#app, event, resolve);
    this.#running.add(run);
    void run.finally(() => this.#running.delete(run));
    return promise;
  }

  async #process(app: App, event: ReceiverEvent, resolve: (handled: Handled) => void): Promise<void> {
    try {
      await app.processEvent(event);
      // An unknown button or command has no listener: it is taken and nothing happens.
      resolve({ status: 200 });
    } catch (error) {
      this.#log.error({ err: error }, 'slack payload failed');
      resolve({ status: 500 });
    }
  }
}

const team = z.string().nullish();
const teams = z.object({
  team_id: team,
  team: z.object({ id: team }).nullish(),
  authorizations: z.array(z.object({ team_id: team })).nullish(),
  view: z.object({ app_installed_team_id: team }).nullish(),
});

/**
 * Whether the payload is for the app as our team installed it. Of whoever acts in a shared channel the team may be another:
 * that is the sender's, and only in what a modal brings does it stand in `team`, too.
 */
function isFor(ours: string, body: unknown): boolean {
  const parsed = teams.safeParse(body);
  if (!parsed.success) return false;
  const { team_id, team: outer, authorizations, view } = parsed.data;
  const named = [team_id, view?.app_installed_team_id ?? outer?.id];
  const present = named.filter((id) => id !== undefined && id !== null);
  const isInstalled = !authorizations?.length || authorizations.some((one) => one.team_id === ours);
  return isInstalled && present.length > 0 && present.every((id) => id === ours);
}
