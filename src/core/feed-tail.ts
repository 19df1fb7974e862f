/** Something that a stream carries: a journal entry at its sequence, a log line at its cursor. */
export interface Positioned {
  readonly at: number;
}

export interface TailSource<T extends Positioned> {
  /** Stored items after a position, oldest first, at most `PAGE`; fewer: there are no more at this moment. */
  read(after: number): Promise<readonly T[]>;
  /** Takes the next item. */
  take(item: T): void;
  /** Where a reader may have to wait (for room, for its permission to be looked at again): until when. Asked before each stored item. */
  ready(): Promise<void> | undefined;
  /** Set where positions have no holes: told of those that cannot be had any more, both ends included. */
  gap?(from: number, to: number): void;
  /** Reading failed; the tail has stopped. */
  failed(error: unknown): void;
}

/** Items of one `read`. */
export const PAGE = 500;

/**
 * Joins what is stored with what comes live, in order, nothing twice and nothing missing at the seam: reads pages until
 * it has met the live stream, then follows that. Live items that come while it reads are not kept but read as well, so
 * it holds no more than a page.
 */
export class Tail<T extends Positioned> {
  readonly #source: TailSource<T>;
  #position: number;
  /** The newest live position that was passed over while reading. */
  #seen = 0;
  #state: 'new' | 'reading' | 'live' | 'stopped' = 'new';

  /** Continues after `position`, once it is started. */
  constructor(position: number, source: TailSource<T>) {
    this.#position = position;
    this.#source = source;
  }

  /** The position of the last item that was taken or passed over. */
  get position(): number {
    return this.#position;
  }

  /** Starts to read; also when it follows the live stream: it goes through `ready` and the stored items again. */
  start(): void {
    if (this.#state === 'reading' || this.#state === 'stopped') return;
    this.#state = 'reading';
    this.#read().catch((error: unknown) => {
      if (this.#stopped()) return;
      this.stop();
      this.#source.failed(error);
    });
  }

  stop(): void {
    this.#state = 'stopped';
  }

  /** A live item. */
  offer(item: T): void {
    if (this.#state === 'live') {
      if (item.at <= this.#position) return;
      if (this.#source.gap === undefined || item.at === this.#position + 1) {
        this.#take(item);
        return;
      }
      this.start();
    }
    if (item.at > this.#seen) this.#seen = item.at;
  }

  #take(item: T): void {
    this.#position = item.at;
    this.#source.take(item);
  }

  async #read(): Promise<void> {
    const source = this.#source;
    for (;;) {
      // What was live before the read began must be in it; what comes during it may be missing there.
      const seen = this.#seen;
      const page = await source.read(this.#position);
      for (const item of page) {
        // Asked in place: between the last answer and the item nothing else may run, or it would be out of date.
        for (let wait = source.ready(); wait && !this.#stopped(); wait = source.ready()) await wait;
        if (this.#stopped()) return;
        this.#skipTo(item.at - 1);
        this.#take(item);
      }
      for (let wait = source.ready(); wait && !this.#stopped(); wait = source.ready()) await wait;
      if (this.#stopped()) return;
      if (page.length === 0) this.#skipTo(seen);
      if (page.length < PAGE && this.#position >= this.#seen) {
        this.#state = 'live';
        return;
      }
    }
  }

  #stopped(): boolean {
    return this.#state === 'stopped';
  }

  #skipTo(position: number): void {
    if (position <= this.#position) return;
    this.#source.gap?.(this.#position + 1, position);
    this.#position = position;
  }
}
