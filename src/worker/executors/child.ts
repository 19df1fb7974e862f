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

  /** Asks it to end, and after `grace` milliseconds no longer asks. */
  stop(grace: number): void {
    this.#kill('SIGTERM');
    this.#killer = setTimeout(() => this.#kill('SIGKILL'), grace);
  }

  /** Resolves once it and its children have ended and their output is read. */
  async ended(output: Output, control: Control): Promise<Ended> {
    const child = this.#process;
    const [, out, err, reports] = child.stdio as unknown as readonly [null, Readable, Readable, Readable];
    out.on('data', (chunk: Buffer) => output.write('out', chunk));
    err.on('data', (chunk: Buffer) => output.write('err', chunk));
    reports.on('data', (chunk: Buffer) => control.write(chunk));
    // A program that closed it without reading leaves a reset connection, which says nothing about it.
    reports.on('error', () => undefined);
    let pipes: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', () => {
          // Whoever it left behind in its group ends with it.
          this.#kill('SIGKILL');
          this.#unwatch?.();
          pipes = setTimeout(() => [out, err, reports].forEach((pipe) => pipe.destroy()), PIPE_GRACE);
        });
        child.once('close', (code, signal) => {
          output.end();
          control.end();
          resolve({ code, signal });
        });
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
