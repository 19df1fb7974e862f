/** An answer to one frame: what is sent, and what happens once it was. */
export interface Answered {
  readonly text: string;
  readonly after?: () => void;
}

interface Slot {
  answer?: Answered;
}

export interface PipelineOptions<F> {
  /** Never rejects. */
  readonly handle: (frame: F) => Promise<Answered>;
  readonly send: (text: string) => void;
  /** Frames should stop coming, or may come again. */
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Frames at work at once; more of them wait, and beyond `HIGH` waiting the sender does. */
const WINDOW = 32;
const HIGH = 64;
const LOW = 16;

/** Handles a socket's frames: begun and answered in the order they came, a bounded number at a time. */
export class Pipeline<F> {
  readonly #options: PipelineOptions<F>;
  readonly #waiting: F[] = [];
  readonly #slots: Slot[] = [];
  #paused = false;
  #idle: (() => void) | undefined;

  constructor(options: PipelineOptions<F>) {
    this.#options = options;
  }

  push(frame: F): void {
    this.#waiting.push(frame);
    this.#work();
    if (this.#paused || this.#waiting.length < HIGH) return;
    this.#paused = true;
    this.#options.pause();
  }

  /** Forgets what has not begun; resolves when what has is answered. */
  finish(): Promise<void> {
    this.#waiting.length = 0;
    if (this.#slots.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  #work(): void {
    while (this.#slots.length < WINDOW) {
      const frame = this.#waiting.shift();
      if (frame === undefined) break;
      const slot: Slot = {};
      this.#slots.push(slot);
      void this.#options.handle(frame).then((answer) => {
        slot.answer = answer;
        this.#flush();
      });
    }
    if (!this.#paused || this.#waiting.length > LOW) return;
    this.#paused = false;
    this.#options.resume();
  }

  #flush(): void {
    for (let answer = this.#slots[0]?.answer; answer; answer = this.#slots[0]?.answer) {
      this.#slots.shift();
      this.#options.send(answer.text);
      answer.after?.();
    }
    this.#work();
    if (this.#slots.length === 0) this.#idle?.();
  }
}
