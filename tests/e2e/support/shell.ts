import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { soon } from './soon.ts';

export const ROOT = resolve(import.meta.dirname, '../../..');
export const MAIN = resolve(ROOT, 'src/main.ts');

/** A program that runs, with what it printed so far. */
export class Running {
  readonly #child: ReturnType<typeof spawn>;
  readonly #over: Promise<unknown>;
  output = '';

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd: string) {
    this.#child = spawn(command, args, { cwd, env, stdio: 'pipe' });
    this.#over = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
  }

  /** What the pattern finds in the output, once it is there. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    return soon(() => {
      const found = pattern.exec(this.output);
      if (!found) throw new Error(`nothing like ${pattern} in:\n${this.output}`);
      return found;
    });
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The exit code, once it ended by itself or by the signal. */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal) this.#child.kill(signal);
    else this.#child.stdin?.end();
    await this.#over;
    return this.#child.exitCode;
  }
}

/** A shell in a clone of Signalbox, in which lines are typed one after another. */
export class Shell {
  readonly #sh: Running;
  #typed = 0;

  constructor() {
    const env = { PATH: process.env['PATH'], MAIN };
    this.#sh = new Running('sh', [], env, ROOT);
    // What npx finds in a clone is src/main.ts, by package.json's `bin`; finding it takes half a second each time.
    this.#sh.type('npx() { test "$1" = signalbox && shift && node "$MAIN" "$@"; }');
  }

  /** Types a line and returns what it printed. @throws Error when it failed. */
  async run(line: string): Promise<string> {
    this.#typed += 1;
    const before = this.#sh.output.length;
    this.#sh.type(line);
    this.#sh.type(`echo "<${this.#typed}:$?>"`);
    const end = await this.#sh.printed(new RegExp(`<${this.#typed}:(\\d+)>\n`));
    const printed = this.#sh.output.slice(before, end.index);
    if (end[1] !== '0') throw new Error(`${line} failed:\n${printed}`);
    return printed;
  }

  async close(): Promise<void> {
    await this.#sh.end();
  }
}
