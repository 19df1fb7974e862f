import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';

const COMPILED = join(tmpdir(), 'signalbox-test-compiled');
const MAIN = resolve(import.meta.dirname, '../../src/main.ts');

export interface SpawnOptions {
  /** Working directory and home; the database is `signalbox.db` in it unless the environment says otherwise. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What follows the subcommand. */
  readonly args?: readonly string[];
  /** A program that sets something up and then becomes ours, such as `sh -c 'ulimit …; exec "$@"' sh`. */
  readonly through?: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** `node src/main.ts …` as a process of its own, with nothing of our environment but PATH. */
class Program {
  readonly ended: Promise<Exit>;
  readonly #child;
  #out = '';
  #err = '';

  constructor(args: readonly string[], { folder, env, through = [] }: SpawnOptions) {
    const [program = process.execPath, ...rest] = [...through, process.execPath, MAIN, ...args];
    this.#child = spawn(program, rest, {
      cwd: folder,
      env: {
        PATH: process.env['PATH'] ?? '',
        // The same program is started some hundred times a run.
        NODE_COMPILE_CACHE: COMPILED,
        HOME: folder,
        PORT: '0',
        SIGNALBOX_DB: join(folder, 'signalbox.db'),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout.on('data', (chunk: Buffer) => (this.#out += chunk.toString()));
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#err += chunk.toString()));
    this.ended = new Promise((done, failed) => {
      this.#child.once('error', failed);
      this.#child.once('close', (code, signal) => done({ code, signal, out: this.#out, err: this.#err }));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  /** Sends the signal and waits for the end. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.signal(signal);
    return this.ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Calls back with each new piece of standard output; resolves at the first that satisfies. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((found, failed) => {
      const look = () => {
        const match = pattern.exec(this.#out);
        if (!match) return;
        this.#child.stdout.off('data', look);
        found(match);
      };
      this.#child.stdout.on('data', look);
      look();
      void this.ended.then(
        ({ code, out, err }) => failed(new Error(`it ended with ${code}:\n${out}\n${err}`)),
        failed,
      );
    });
  }
}

/** Begins a subcommand. */
export function launch(args: readonly string[], options: SpawnOptions): Program {
  return new Program(args, options);
}

/** Runs a subcommand to its end. */
export function run(args: readonly string[], options: SpawnOptions): Promise<Exit> {
  return launch(args, options).ended;
}

/** A server that has said where it listens. */
export class Server extends Program {
  url = '';
  /** The administrator's token, where this start made one or the environment chose it. */
  token = '';

  static async start(options: SpawnOptions): Promise<Server> {
    const server = new Server(['start', ...(options.args ?? [])], options);
    const [, url = ''] = await server.said(/Address +(\S+) [\s\S]*audit verify'\n/);
    server.url = url;
    const made = /Administrator +(\S+)/.exec(server.out)?.[1];
    server.token = made ?? options.env?.['SIGNALBOX_ADMIN_TOKEN'] ?? '';
    return server;
  }

  fetch(path: string, init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {}) {
    const headers = { authorization: `Bearer ${this.token}`, ...init.headers };
    return fetch(new URL(path, this.url), { ...init, headers });
  }

  /** One command over REST; `key`: its Idempotency-Key. */
  command(text: string, key?: string): Promise<Response> {
    return this.fetch('/v1/commands', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
      body: JSON.stringify({ text }),
    });
  }
}

/** A process that runs jobs and has said so. */
export class Worker extends Program {
  /** Where it tells how it is, if it was told to. */
  health: string | undefined;

  static async start(options: SpawnOptions): Promise<Worker> {
    const worker = new Worker(['worker', ...(options.args ?? [])], options);
    const [, health] = await worker.said(/● worker of \S+ up to .+?(?:health on (\S+))?\n/);
    worker.health = health;
    return worker;
  }
}

/** A worker that ends with the test, whatever becomes of it. */
export async function startWorker(options: SpawnOptions): Promise<Worker> {
  const worker = await Worker.start(options);
  onTestFinished(async () => {
    await worker.stop('SIGKILL');
  });
  return worker;
}

/** A server that ends with the test, whatever becomes of it. */
export async function startServer(options: SpawnOptions): Promise<Server> {
  const starting = Server.start(options);
  const server = await starting;
  onTestFinished(async () => {
    await server.stop('SIGKILL');
  });
  return server;
}
