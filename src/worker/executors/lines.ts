import { StringDecoder } from 'node:string_decoder';

/** Characters of a line that a log keeps. */
export const MAX_LINE = 8_192;

/** Cuts a stream of bytes into lines. Of an endless one it holds `slack` and one character more than a log keeps. */
export class Lines {
  readonly #decoder = new StringDecoder('utf8');
  readonly #emit: (line: string) => void;
  readonly #hold: number;
  #rest = '';

  constructor(emit: (line: string) => void, slack = 0) {
    this.#emit = emit;
    this.#hold = MAX_LINE + slack + 1;
  }

  write(chunk: Buffer): void {
    this.#take(this.#decoder.write(chunk));
  }

  /** Gives out the last line when it had no line break. */
  end(): void {
    this.#take(this.#decoder.end());
    if (this.#rest !== '') this.#emit(this.#rest);
    this.#rest = '';
  }

  #take(text: string): void {
    const parts = text.split('\n');
    const last = parts.pop() ?? '';
    for (const part of parts) {
      this.#emit(this.#grown(part).replace(/\r$/, ''));
      this.#rest = '';
    }
    this.#rest = this.#grown(last);
  }

  #grown(more: string): string {
    return this.#rest.length >= this.#hold ? this.#rest : (this.#rest + more).slice(0, this.#hold);
  }
}
