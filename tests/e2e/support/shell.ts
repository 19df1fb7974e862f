import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { soon } from './soon.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

/** A shell in a clone of Signalbox, in which lines are typed one after another. */
export class Shell {
  readonly #sh;
  readonly #over: Promise<unknown>;
  #output = '';
  #typed = 0;

  constructor() {
    const env = { PATH: process.env['PATH'], MAIN: resolve(ROOT, 'src/main.ts') };
    this.#sh = spawn('sh', [], { cwd: ROOT, env, stdio: 'pipe' });
    this.#over = once(this.#sh, 'close');
    for (const stream of [this.#sh.stdout, this.#sh.stderr])
      stream.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    // What npx finds in a clone is src/main.ts, by package.json's `bin`; finding it takes half a second each time.
    this.#type('npx() { test "$1" = signalbox && shift && node "$MAIN" "$@"; }');
  }

  /** Types a line and returns what it printed. @throws Error when it failed. */
  async run(line: string): Promise<string> {
    this.#typed += 1;
    const before = this.#output.length;
    this.#type(line);
    this.#type(`echo "<${this.#typed}:$?>"`);
    const end = await soon(() => {
      const found = new RegExp(`<${this.#typed}:(\\d+)>\n`).exec(this.#output);
      if (!found) throw new Error(`${line} has not ended; it printed:\n${this.#output.slice(before)}`);
      return found;
    });
    const printed = this.#output.slice(before, end.index);
    if (end[1] !== '0') throw new Error(`${line} failed:\n${printed}`);
    return printed;
  }

  async close(): Promise<void> {
    this.#sh.kill();
    await this.#over;
  }

  #type(line: string): void {
    this.#sh.stdin.write(`${line}\n`);
  }
}
