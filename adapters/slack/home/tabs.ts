import { setTimeout as delay } from 'node:timers/promises';
import type { webApi } from '@slack/bolt';
import type { Logger } from 'pino';
import type { Receive } from '../../../src/core/adapter.ts';
import { withHints } from '../../../src/core/answer.ts';
import type { Homes, Opened } from '../../../src/core/homes.ts';
import type { Answer } from '../../../src/core/message.ts';
import type { Own, Owned } from '../../../src/core/owned.ts';
import { SECOND } from '../../../src/domain/clock.ts';
import { sha256 } from '../../../src/domain/json.ts';
import { type AccountWatch, isTokenRefused, platformError, waitAfter } from '../account.ts';
import { fromHome, type Receiver } from '../decode.ts';
import { PASSING } from '../notifier.ts';
import { render, type Rendered, VIEW } from '../rendering/render.ts';

export interface HomeTabsOptions {
  readonly client: webApi.WebClient;
  readonly account: AccountWatch;
  readonly receive: Receive;
  readonly receiver: () => Receiver;
  readonly homes: Homes;
  readonly own: Own;
  readonly log: Logger;
  /** Milliseconds between two looks for one person; five seconds unless told. */
  readonly every?: number | undefined;
}

const EVERY = 5 * SECOND;
/** Milliseconds that looks take up at most for each person, so that many people cost no more than few. */
const EACH = 20;
/** Milliseconds in which changes gather. */
const GATHER = 50;
/** Milliseconds until what came to nothing is tried again. */
const AGAIN = 10 * SECOND;
/** What a look may come to that says nothing of the person. */
const FOR_NOW = new Set(['unavailable', 'internal', 'rate_limited']);

interface Person {
  readonly user: string;
  readonly opened: Opened;
  /** They have just opened it, or clicked there: they come first, and it is published whatever was before. */
  asked: boolean;
  /** The digest of what was published last; undefined where that is not known. */
  shown: string | undefined;
  /** By the process's steady clock: when they are looked for next, if at all, and when that was last. */
  due: number;
  looked: number;
}

/**
 * Keeps the Home of whoever has opened it lately as the command `home` answers them: at once after they opened it or
 * clicked there, at most once in five seconds after other changes, and published only where it would show something else.
 * One process does so, and hears of what the others take.
 */
export class HomeTabs {
  readonly #options: HomeTabsOptions;
  readonly #every: number;
  readonly #owned: Owned;
  readonly #people = new Map<string, Person>();
  #unlisten: () => void = () => undefined;
  /** Somebody has opened it since those who did were read. */
  #unread = true;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #ending = new AbortController();

  constructor(options: HomeTabsOptions) {
    this.#options = options;
    this.#every = options.every ?? EVERY;
    this.#owned = options.own('slack:home', { begin: () => this.#begin(), end: () => this.#end() });
  }

  start(): Promise<void> {
    return this.#owned.start();
  }

  stop(): Promise<void> {
    return this.#owned.stop();
  }

  #begin(): void {
    this.#ending = new AbortController();
    this.#unlisten = this.#options.homes.onChange(({ shown, opened }) => {
      if (opened) this.#unread = true;
      if (shown) for (const person of this.#people.values()) this.#touch(person);
      this.#schedule();
    });
    // What was shown before, and by whom, is not known.
    this.#people.clear();
    this.#unread = true;
    this.#schedule();
  }

  async #end(): Promise<void> {
    this.#unlisten();
    this.#ending.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #touch(person: Person): void {
    const pace = Math.max(this.#every, this.#people.size * EACH);
    person.due = Math.min(person.due, Math.max(performance.now() + GATHER, person.looked + pace));
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#ending.signal.aborted || this.#running) return;
    const next = this.#unread ? 0 : Math.min(...Array.from(this.#people.values(), ({ due }) => due));
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.#running = this.#round()
          .catch((err: unknown) => this.#failed(err))
          .finally(() => {
            this.#running = undefined;
            this.#schedule();
          });
      },
      Math.max(this.#owned.held ? 0 : GATHER, next - performance.now()),
    );
  }

  /** The database is away: it is looked at again after a while. */
  async #failed(err: unknown): Promise<void> {
    const { signal } = this.#ending;
    if (signal.aborted) return;
    this.#options.log.warn(
      { err },
      'slack: people’s Homes could not be looked at; it is tried again shortly',
    );
    this.#unread = true;
    await delay(AGAIN, undefined, { signal }).catch(() => undefined);
  }

  /** Looks for all who are due, one after another, those first who have just asked. */
  async #round(): Promise<void> {
    while (!this.#ending.signal.aborted && this.#owned.held) {
      if (this.#unread) await this.#read();
      const person = this.#next();
      if (!person) return;
      await this.#look(person);
    }
  }

  #next(): Person | undefined {
    const now = performance.now();
    const due = [...this.#people.values()].filter((person) => person.due <= now);
    return due.toSorted((a, b) => Number(b.asked) - Number(a.asked) || a.due - b.due)[0];
  }

  async #read(): Promise<void> {
    this.#unread = false;
    const prefix = `${this.#options.receiver().team}/`;
    const lately = (await this.#options.homes.lately()).filter(({ subject }) => subject.startsWith(prefix));
    const present = new Set(lately.map(({ subject }) => subject));
    for (const subject of this.#people.keys()) if (!present.has(subject)) this.#people.delete(subject);
    // At the start nobody has just asked: those who do from then on come before them.
    const first = this.#people.size === 0 && lately.length > 1;
    for (const opened of lately) this.#note(opened, opened.subject.slice(prefix.length), !first);
  }

  #note(opened: Opened, user: string, asked: boolean): void {
    const before = this.#people.get(opened.subject);
    if (before?.opened.time === opened.time) return;
    const looked = before?.looked ?? Number.NEGATIVE_INFINITY;
    this.#people.set(opened.subject, {
      user,
      opened,
      asked,
      shown: undefined,
      due: performance.now(),
      looked,
    });
  }

  async #look(person: Person): Promise<void> {
    const { receive, receiver } = this.#options;
    const { asked } = person;
    Object.assign(person, { asked: false, due: Number.POSITIVE_INFINITY, looked: performance.now() });
    // What is looked at again by itself is nothing that the person has asked for.
    const answer = await receive(fromHome(person.user, receiver(), { counted: !asked }));
    if (FOR_NOW.has(answer.error?.code ?? '')) return this.#later(person);
    const { blocks } = render(withHints(answer), VIEW);
    await this.#show(person, blocks, answer);
  }

  async #show(person: Person, blocks: Rendered['blocks'], { error }: Answer): Promise<void> {
    const digest = sha256(JSON.stringify(blocks));
    if (digest === person.shown) return;
    try {
      await this.#publish(person.user, blocks);
      person.shown = digest;
      // Whoever is nobody here has been told so; their next look begins with their opening it again.
      if (error) await this.#forget(person);
    } catch (err) {
      await this.#refused(person, err);
    }
  }

  /** The client keeps the rate; where Slack asks to wait, everybody does. */
  async #publish(user: string, blocks: Rendered['blocks']): Promise<void> {
    const { signal } = this.#ending;
    for (;;) {
      signal.throwIfAborted();
      try {
        await this.#options.client.views.publish({ user_id: user, view: { type: 'home', blocks } });
        return;
      } catch (error) {
        const wait = waitAfter(error);
        if (wait === undefined) throw error;
        await delay(wait, undefined, { signal });
      }
    }
  }

  async #refused(person: Person, err: unknown): Promise<void> {
    if (this.#ending.signal.aborted) return;
    const { account, log } = this.#options;
    const word = platformError(err);
    log.warn({ err, user: person.user }, 'slack did not take a Home');
    if (word !== undefined && isTokenRefused(word)) account.tokenRefused(word);
    else if (word !== undefined && !PASSING.has(word)) return this.#forget(person);
    this.#later(person);
  }

  #later(person: Person): void {
    person.due = Math.min(person.due, performance.now() + AGAIN);
  }

  async #forget({ opened }: Person): Promise<void> {
    this.#people.delete(opened.subject);
    await this.#options.homes.forget(opened);
  }
}
