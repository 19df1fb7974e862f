import type { Cursor } from './options.ts';

const MAX_SKIPPED = 32;

/**
 * Which mails above the cursor are settled and which wait. One that waits holds back the cursor, never the mails after
 * it: a sender whose DNS is broken on purpose must not stop everybody else's.
 */
export class Progress {
  #cursor: Cursor;
  #listed: number[] = [];
  readonly #settled = new Set<number>();
  /** How many looks are left until the next try, and how many there were between the last two. */
  readonly #waiting = new Map<number, { left: number; last: number }>();

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  get cursor(): Cursor {
    return this.#cursor;
  }

  /** The UIDs to take now, oldest first. A range to `*` always names the newest mail, also below the range. */
  due(found: readonly number[]): number[] {
    this.#listed = found.filter((uid) => uid > this.#cursor.lastUid).toSorted((a, b) => a - b);
    return this.#listed.filter((uid) => {
      if (this.#settled.has(uid)) return false;
      const waiting = this.#waiting.get(uid);
      if (!waiting) return true;
      waiting.left -= 1;
      return waiting.left <= 0;
    });
  }

  /** Tries again after twice as many looks as the last time. */
  postpone(uid: number): void {
    const last = Math.min((this.#waiting.get(uid)?.last ?? 0.5) * 2, MAX_SKIPPED);
    this.#waiting.set(uid, { left: last, last });
  }

  /** Returns whether the cursor moved: to the last mail below which nothing waits. */
  settle(uid: number): boolean {
    this.#settled.add(uid);
    this.#waiting.delete(uid);
    const open = this.#listed.find((listed) => !this.#settled.has(listed)) ?? Infinity;
    const lastUid = this.#listed.findLast((listed) => listed < open) ?? this.#cursor.lastUid;
    if (lastUid === this.#cursor.lastUid) return false;
    this.#cursor = { ...this.#cursor, lastUid };
    for (const done of this.#settled) if (done <= lastUid) this.#settled.delete(done);
    this.#listed = this.#listed.filter((listed) => listed > lastUid);
    return true;
  }
}
