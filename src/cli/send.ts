import { parseArgs } from 'node:util';
import { z } from 'zod';
import { readMergedEnvironment, type Environment } from '../config/index.ts';
import { printable } from '../core/printable.ts';

export interface SendOptions {
  /** Where Signalbox listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** An API key or access token. */
  readonly token: string;
  /** The command, as it is typed on every channel. */
  readonly text: string;
  /** Print the JSON document as it came. */
  readonly json?: boolean | undefined;
  /** The same key again gets the first reply again. */
  readonly idempotencyKey?: string | undefined;
  /** The job that this is run by, so that a loop is seen: `SIGNALBOX_CAUSE` of its environment. */
  readonly cause?: string | undefined;
  readonly output: Output;
  readonly fetch?: typeof globalThis.fetch | undefined;
}

interface Output {
  write(text: string): unknown;
}

/** 0 done (or waiting for an approval or a `yes`), 1 refused, 2 wrong usage, 3 not reached or not answered properly. */
export type ExitCode = 0 | 1 | 2 | 3;

const TIMEOUT = 30_000;
/** Statuses with which Signalbox, or a proxy before it, says that it is not there at the moment. */
const AWAY = new Set([502, 503, 504]);

const answer = z.object({ status: z.string(), reply: z.object({ text: z.string() }) });
const problem = z.object({ detail: z.string(), suggestions: z.array(z.string()).default([]) });

/** Sends one command to `POST /v1/commands` and prints the reply, or why there is none. */
export async function send(options: SendOptions): Promise<ExitCode> {
  const { output, url, json } = options;
  let response: Response;
  let body: string;
  try {
    response = await post(options);
    body = await response.text();
  } catch (error) {
    output.write(`${unreached(url, error)}\n`);
    return 3;
  }
  const document = parseJson(body);
  const reply = answer.safeParse(document);
  const refused = problem.safeParse(document);
  if (!reply.success && !refused.success) {
    output.write(`${url} answered with status ${response.status}, but not as Signalbox does.\n`);
    return 3;
  }
  if (json) output.write(`${body.trim()}\n`);
  else if (response.ok && reply.success) output.write(`${printable(reply.data.reply.text)}\n`);
  else if (refused.success) output.write(refusal(refused.data, response.headers.get('retry-after')));
  if (AWAY.has(response.status)) return 3;
  return response.ok && reply.success ? 0 : 1;
}

function post({
  url,
  token,
  text,
  idempotencyKey,
  cause,
  fetch = globalThis.fetch,
}: SendOptions): Promise<Response> {
  return fetch(new URL('/v1/commands', url), {
    method: 'POST',
    // A redirect would carry the command, and perhaps the token, somewhere else.
    redirect: 'error',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      ...(cause !== undefined && { 'signalbox-cause': cause }),
    },
    body: JSON.stringify({ text }),
    signal: AbortSignal.timeout(TIMEOUT),
  });
}

function unreached(url: string, error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string; message?: string } };
  const reason =
    name === 'TimeoutError' ? 'no answer within 30 s' : (cause?.code ?? cause?.message ?? 'no connection');
  return `Signalbox cannot be reached at ${url} (${reason}). Is it running? SIGNALBOX_URL sets another address.`;
}

function refusal({ detail, suggestions }: z.output<typeof problem>, retryAfter: string | null): string {
  const lines = [`✗ ${detail}`, ...suggestions.map((command) => `  ${command}`)];
  if (retryAfter !== null) lines.push(`  Try again in ${retryAfter} s.`);
  return `${printable(lines.join('\n'))}\n`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const USAGE = `Usage: signalbox send [--json] [--key KEY] [--url URL] 'COMMAND'
  COMMAND is one argument: signalbox send 'task create "Fix login" --priority P0'
  The token is read from SIGNALBOX_TOKEN, the address from SIGNALBOX_URL.
`;

/** `signalbox send`: reads its arguments (those after `send`), the environment and `.env`, then sends. */
export async function runSend(options: {
  readonly args: readonly string[];
  readonly env: Environment;
  readonly cwd: string;
  readonly output: Output;
  readonly errors: Output;
  readonly fetch?: typeof globalThis.fetch;
}): Promise<ExitCode> {
  const given = readArguments(options.args);
  const fault = (message: string): ExitCode => {
    options.errors.write(`${message}\n${USAGE}`);
    return 2;
  };
  if (typeof given === 'string') return fault(given);
  const env = await readMergedEnvironment(options.env, options.cwd);
  const token = env['SIGNALBOX_TOKEN'];
  const url = given.url ?? env['SIGNALBOX_URL'] ?? `http://127.0.0.1:${env['PORT'] ?? '8080'}`;
  if (token === undefined) return fault('SIGNALBOX_TOKEN is not set.');
  if (!/^[\x21-\x7e]+$/.test(token))
    return fault('SIGNALBOX_TOKEN holds more than visible ASCII characters.');
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    return fault(`"${url}" is not an http or https address.`);
  const { text, json, idempotencyKey } = given;
  const { output, fetch, env: own } = options;
  // A program that a job runs is told by which; no file says so.
  const cause = own['SIGNALBOX_CAUSE'];
  return send({ url, token, text, json, idempotencyKey, cause, output, fetch });
}

interface Arguments {
  readonly text: string;
  readonly json: boolean;
  readonly idempotencyKey: string | undefined;
  readonly url: string | undefined;
}

/** The arguments, or what is wrong with them. */
function readArguments(args: readonly string[]): Arguments | string {
  const options = { json: { type: 'boolean' }, key: { type: 'string' }, url: { type: 'string' } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [text] = positionals;
    if (text === undefined || text.trim() === '') return 'There is no command to send.';
    if (positionals.length > 1) return 'The command has to be one argument, in quotes.';
    if (values.key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(values.key))
      return '--key takes 1 to 255 visible ASCII characters.';
    return { text, json: values.json ?? false, idempotencyKey: values.key, url: values.url };
  } catch (error) {
    return (error as Error).message;
  }
}
