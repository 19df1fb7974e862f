import { createInterface, clearLine, cursorTo, type Interface } from 'node:readline';
import type { Adapter, Health, Notifier, Receive } from '../../src/core/adapter.ts';
import type { Address, Invocation, VerifiedIdentity } from '../../src/core/message.ts';
import { SECOND, type Clock } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { renderAnswer, renderReply, type Rendering } from './render.ts';

export interface TerminalOptions {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean; hasColors?(): boolean };
  readonly receive: Receive;
  /** Whoever sits at the terminal: the caller vouches for it. It names the workspace too. */
  readonly identity: VerifiedIdentity;
  readonly clock: Clock;
  /** What Tab completes: the commands as they are typed, `task create`. */
  readonly complete?: () => readonly string[];
  /** The pattern form of an invocation; JSON unless given. */
  readonly format?: (invocation: Invocation) => string;
  /** Colours; unless told, as the output says it can (which heeds NO_COLOR). */
  readonly color?: boolean;
  /** Called once when the person ends the prompt: `exit`, Ctrl-C twice, or the end of the input. */
  readonly onExit?: () => void;
}

const PROMPT = 'signalbox> ';
const CONVERSATION = 'terminal';
/** Where later news of what was asked here is told. */
const ADDRESS: Address = { channel: 'terminal', to: 'prompt' };
/** Milliseconds within which a second Ctrl-C ends. */
const TWICE = 2 * SECOND;

/** A prompt on a terminal; on any other stream, one command per line, answered in order. */
export function createTerminalAdapter(options: TerminalOptions): Adapter {
  const { input, output, onExit } = options;
  const isTerminal = output.isTTY === true;
  const how: Rendering = {
    color: options.color ?? (isTerminal && output.hasColors?.() === true),
    format: options.format ?? ((invocation) => JSON.stringify(invocation)),
  };
  let health: Health = { state: 'off', reason: 'not started' };
  let lines: Interface | undefined;
  let finished: Promise<void> = Promise.resolve();

  const print = (text: string): void => {
    if (!lines || !isTerminal) return void output.write(`${text}\n`);
    // What is being typed steps aside for the message and comes back below it.
    cursorTo(output, 0);
    clearLine(output, 0);
    output.write(`${text}\n`);
    lines.prompt(true);
  };

  const end = (reason: string): void => {
    if (health.state === 'off') return;
    health = { state: 'off', reason };
    lines?.close();
    onExit?.();
  };

  return {
    name: 'terminal',
    notifier: createNotifier(print, () => health.state === 'on', how),
    async start() {
      health = { state: 'on' };
      lines = createInterface({
        input,
        output,
        terminal: isTerminal,
        prompt: isTerminal ? PROMPT : '',
        completer: completer(options.complete ?? (() => [])),
        historySize: 500,
        removeHistoryDuplicates: true,
        crlfDelay: Number.POSITIVE_INFINITY,
      });
      endOnSecondInterrupt(lines, options.clock, output, () => end('ended at the prompt'));
      finished = converse(lines, options, how, () => health.state === 'on').then(() =>
        end('the input was closed'),
      );
    },
    async stop(deadline) {
      if (health.state === 'on') health = { state: 'off', reason: 'stopped' };
      lines?.close();
      await Promise.race([finished, aborted(deadline)]);
    },
    health: () => health,
  };
}

/** Reads, runs and answers one line after another until the input ends or `isOpen` says no. */
async function converse(
  lines: Interface,
  { receive, identity, output }: TerminalOptions,
  how: Rendering,
  isOpen: () => boolean,
): Promise<void> {
  // A prompt on a closed interface throws; lines that came before the end are still there to run.
  let isClosed = false;
  lines.once('close', () => (isClosed = true));
  lines.prompt();
  for await (const line of lines) {
    const text = line.trim();
    if (!isOpen() || text === 'exit' || text === 'quit') return;
    if (text !== '') {
      const answer = await receive({
        channel: 'terminal',
        from: identity,
        body: { text },
        conversation: CONVERSATION,
        origin: ADDRESS,
      });
      output.write(`${renderAnswer(answer, text, how)}\n`);
    }
    if (!isClosed) lines.prompt();
  }
}

/** Ctrl-C clears the line; on an empty one, a second within two seconds ends. */
function endOnSecondInterrupt(
  lines: Interface,
  clock: Clock,
  output: NodeJS.WritableStream,
  end: () => void,
): void {
  let last = Number.NEGATIVE_INFINITY;
  lines.on('SIGINT', () => {
    const now = clock.now().getTime();
    if (lines.line === '' && now - last <= TWICE) return end();
    const wasEmpty = lines.line === '';
    if (wasEmpty) last = now;
    // Ctrl-E moves to the end, so that Ctrl-U takes the whole line.
    lines.write(null, { ctrl: true, name: 'e' });
    lines.write(null, { ctrl: true, name: 'u' });
    output.write(wasEmpty ? '\n(Ctrl-C again to stop Signalbox)\n' : '\n');
    lines.prompt();
  });
}

/** Completes command names; arguments are left alone. */
function completer(complete: () => readonly string[]) {
  return (line: string): [string[], string] => [complete().filter((name) => name.startsWith(line)), line];
}

/** Remembers the last messages, so that one that is sent again is shown once. */
const REMEMBERED = 200;

function createNotifier(print: (text: string) => void, isOpen: () => boolean, how: Rendering): Notifier {
  const shown: string[] = [];
  return {
    async send(to, { key, reply }) {
      if (to.channel !== 'terminal')
        throw new Refusal('not_found', `A terminal is not reached by ${to.channel}.`);
      // Before the prompt and after it: what waits is told when somebody sits there.
      if (!isOpen()) throw new Refusal('unavailable', 'The prompt is not open.', { retryAfter: SECOND });
      if (!shown.includes(key)) print(renderReply(reply, how));
      shown.push(key);
      if (shown.length > REMEMBERED) shown.shift();
      return { externalId: key };
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
