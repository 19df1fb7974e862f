import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Good for the bench alone. */
export const TOKEN = `sb_bench_${'not-a-secret-'.repeat(3)}`;
export const SECRET = 'bench-secret-that-signs-nothing-else';

/** Limits out of the way, and a webhook source whose rule opens a task. */
const CONFIG = `
limits: { perSender: 1000000000, perChannel: 1000000000, perWorkspace: 1000000000 }
sources:
  bench:
    kind: hmac
    secret: \${env:BENCH_SECRET}
    signatureHeader: x-signature-256
    deliveryHeader: x-delivery-id
    rules:
      - name: open
        when: payload.status == 'failed'
        command: task.create
        args: { title: "'Build failed: ' + payload.branch", priority: "'P1'" }
`;

export interface ServerOptions {
  /** Folder of database and configuration; a temporary one that is removed afterwards unless given. */
  readonly folder?: string;
  readonly profile?: string | undefined;
}

/** The real program, started as a user would, on a database of its own. */
export class Server {
  readonly port: number;
  /** Milliseconds from starting the process until `/readyz` said yes. */
  readonly readyAfter: number;
  readonly #process: ChildProcess;
  readonly #temporary: string | undefined;

  private constructor(child: ChildProcess, port: number, readyAfter: number, temporary: string | undefined) {
    this.#process = child;
    this.port = port;
    this.readyAfter = readyAfter;
    this.#temporary = temporary;
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    const folder = options.folder ?? temporaryFolder();
    const config = join(folder, 'signalbox.yaml');
    writeFileSync(config, CONFIG);
    const flags = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`];
    const began = performance.now();
    const child = spawn(process.execPath, [...flags, 'src/main.ts', 'start'], {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        PORT: '0',
        SIGNALBOX_DB: join(folder, 'signalbox.db'),
        SIGNALBOX_CONFIG: config,
        SIGNALBOX_ADMIN_TOKEN: TOKEN,
        BENCH_SECRET: SECRET,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const temporary = options.folder === undefined ? folder : undefined;
    try {
      const port = await portOf(child);
      while (!(await isReady(port))) await after(5);
      return new Server(child, port, performance.now() - began, temporary);
    } catch (error) {
      child.kill();
      if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  /** CPU seconds so far, and resident bytes, as `/metrics` tells them. */
  async usage(): Promise<{ cpu: number; resident: number }> {
    const metrics = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    const read = (name: string) => Number(new RegExp(`^${name} (.+)$`, 'm').exec(metrics)?.[1]);
    return { cpu: read('process_cpu_seconds_total'), resident: read('process_resident_memory_bytes') };
  }

  async stop(): Promise<void> {
    const over = once(this.#process, 'exit');
    this.#process.kill('SIGINT');
    await over;
    if (this.#temporary !== undefined) rmSync(this.#temporary, { recursive: true, force: true });
  }
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'signalbox-bench-'));
}

/** The address stands in the banner. @throws Error with what the program said instead. */
async function portOf(child: ChildProcess): Promise<number> {
  let said = '';
  for await (const chunk of child.stdout ?? []) {
    said += String(chunk);
    const port = /Address +http:\/\/[^:]+:(\d+)/.exec(said)?.[1];
    if (port === undefined) continue;
    return Number(port);
  }
  throw new Error(`the server did not start:\n${said}`);
}

async function isReady(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  await answer.arrayBuffer();
  return answer.ok;
}
