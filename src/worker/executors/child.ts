import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { SECOND } from '../../domain/clock.ts';
import type { Control } from './control.ts';
import type { Output } from './output.ts';
import type { Warden } from './warden.ts';

/** How long pipes may stay open after the program ended, held by a child that left the process group. */
const PIPE_GRACE = SECOND;

/** How a program ended: one of the two is null. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program in a process group of its own, so that its children end with it; file descriptor 3 is a pipe to us. */
export class Child {
  readonly #process: ChildProcess;
  readonly #unwatch: (() => void) | undefined;
  #killer: NodeJS.Timeout | undefined;

  /** @throws what the system says to a program that it cannot start, here or from `ended`. */
  constructor(
    argv: readonly string[],
    cwd: string,
    env: Readonly<Record<string, string>>,
    warden: Warden | undefined,
  ) {
    const [program = '', ...args] = argv;
    this.#process = spawn(program, args, {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const { pid } = this.#process;
    this.#unwatch = pid === undefined ? undefined : warden?.watch(pid);
  }

  /** Whether the system could start it at all. */
  get began(): boolean {
    return this.#process.pid !== undefined;
  }

  /** Whether it has come to an end by itself; a child of its own may still hold its output open. */
  get exited(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Asks it to end, and after `grace` milliseconds no longer asks. */
  stop(grace: number): void {
    this.#kill('SIGTERM');
    this.#killer = setTimeout(() => this.#kill('SIGKILL'), grace);
  }

  /** Resolves once it and its children have ended and their output is read. */
  async ended(output: Output, control: Control): Promise<Ended> {
    const child = this.#process;
    const [, out, err, reports] = child.stdio as unknown as readonly [null, Readable, Readable, Readable];
    // A program that closed it without reading leaves a reset connection, which says nothing about it.
    reports.on('error', () => undefined);
    let pipes: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        // Thrown from an event, an error of ours would end this whole process.
        const safely =
          <A extends unknown[]>(work: (...given: A) => void) =>
          (...given: A): void => {
            try {
              work(...given);
            } catch (error) {
              this.#kill('SIGKILL');
              reject(error instanceof Error ? error : new Error(String(error)));
            }
          };
        const takers = [
          [out, (chunk: Buffer) => output.write('out', chunk)],
          [err, (chunk: Buffer) => output.write('err', chunk)],
          [reports, (chunk: Buffer) => control.write(chunk)],
        ] as const;
        for (const [pipe, take] of takers) pipe.on('data', safely(take));
        child.once('error', reject);
        child.once('exit', () => {
          // Whoever it left behind in its group ends with it.
          this.#kill('SIGKILL');
          this.#unwatch?.();
          pipes = setTimeout(() => [out, err, reports].forEach((pipe) => pipe.destroy()), PIPE_GRACE);
        });
        child.once(
          'close',
          safely((code: number | null, signal: NodeJS.Signals | null) => {
            output.end();
            control.end();
            resolve({ code, signal });
          }),
        );
      });
    } finally {
      clearTimeout(pipes);
      clearTimeout(this.#killer);
    }
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // ESRCH: nobody is left. EPERM: macOS says so of a group of zombies.
      if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}
