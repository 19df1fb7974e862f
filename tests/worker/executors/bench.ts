import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Effect } from '../../../src/domain/effect.ts';
import type { Progress } from '../../../src/domain/job.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { Runbook } from '../../../src/domain/runbook.ts';
import type { Execution, ExecutorDeps } from '../../../src/worker/executors/execution.ts';
import { createGuardedFetch } from '../../../src/worker/guard.ts';
import { testRunbook, tries } from '../../support/runbook.ts';

export const NOW = new Date('2026-11-20T12:00:00Z');

export function runbook(executor: Runbook['executor'], changes: Partial<Runbook> = {}): Runbook {
  return testRunbook({
    name: 'deploy',
    args: { type: 'object' },
    tries: tries({ max: 3 }),
    executor,
    ...changes,
  });
}

export interface Run extends Execution {
  readonly lines: string[];
  readonly effects: Effect[];
  readonly progressed: Progress[];
}

/** One try whose log is kept in `lines`, as `stream line`. */
export function execution(book: Runbook, args: JsonObject = {}, signal = new AbortController().signal): Run {
  const lines: string[] = [];
  const effects: Effect[] = [];
  const progressed: Progress[] = [];
  const log: Execution['log'] = (stream, line) => void lines.push(`${stream} ${line}`);
  return {
    args,
    runbook: book,
    attempt: 1,
    idempotencyKey: 'job-7',
    cause: 'JOB-7',
    signal,
    log,
    progress: (progress) => void progressed.push(progress),
    effect: (effect) => void effects.push(effect),
    lines,
    effects,
    progressed,
  };
}

export function deps(changes: Partial<ExecutorDeps> = {}): ExecutorDeps {
  return {
    fetch: createGuardedFetch({ allowedHosts: ['127.0.0.1'] }),
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', DEPLOY_TOKEN: 'fake-deploy-token' },
    clock: { now: () => NOW },
    probes: new Map(),
    ...changes,
  };
}

export interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A loopback server that keeps what it was sent. */
export async function serve(
  answer: (res: ServerResponse, req: IncomingMessage) => void,
): Promise<{ url: string; seen: Seen[]; server: Server }> {
  const seen: Seen[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      seen.push({
        method: req.method,
        url: req.url,
        headers: req.headers,
        body: Buffer.concat(chunks).toString(),
      });
      answer(res, req);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, server };
}
