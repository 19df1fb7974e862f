import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ProgramOptions } from './job-program.ts';

const PROGRAM = resolve(import.meta.dirname, 'job-program.ts');

/** One line of what worker processes wrote down. */
export interface Ran {
  readonly what: string;
  readonly owner: string;
  readonly job: string;
  readonly attempt: number;
}

/** Worker processes on one database, and what they ran. */
export class JobProcesses {
  readonly #database: string;
  readonly #folder: string;
  readonly #children = new Map<string, ChildProcess>();

  constructor(database: string, folder: string) {
    this.#database = database;
    this.#folder = folder;
  }

  /** Resolves once it looks for jobs. */
  async start(owner: string, lease: number): Promise<void> {
    const options: ProgramOptions = {
      database: this.#database,
      owner,
      ran: join(this.#folder, 'ran'),
      gate: join(this.#folder, 'gate'),
      concurrency: 4,
      lease,
    };
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.set(owner, child);
    await once(child.stdout, 'data');
  }

  async kill(owner: string): Promise<void> {
    const child = this.#children.get(owner);
    this.#children.delete(owner);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((owner) => this.kill(owner)));
  }

  /** Lets tries of jobs that wait for it go on. */
  openGate(): void {
    writeFileSync(join(this.#folder, 'gate'), '');
  }

  get ran(): Ran[] {
    const file = join(this.#folder, 'ran');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    return lines.map((line) => {
      const [what = '', owner = '', job = '', attempt = ''] = line.split(' ');
      return { what, owner, job, attempt: Number(attempt) };
    });
  }

  get begun(): Ran[] {
    return this.ran.filter(({ what }) => what === 'begin');
  }
}
