import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createTerminalAdapter, type TerminalOptions } from '../../../adapters/terminal/index.ts';
import { verified, type Answer, type Inbound } from '../../../src/core/message.ts';
import { Refusal } from '../../../src/domain/errors.ts';

const identity = verified({
  workspace: 'main',
  channel: 'principal',
  subject: 'ana',
  assurance: 'local',
  scopes: ['*'],
});
const ok = (text: string): Answer => ({ id: '1', status: 'ok', reply: { text }, correlationId: 'c' });

/** A terminal whose commands are answered by `answer`; `typed` waits until the output shows something. */
async function openTerminal(
  options: {
    isTTY?: boolean;
    answer?: (text: string) => Answer | Promise<Answer>;
  } & Partial<TerminalOptions> = {},
) {
  const { isTTY = false, answer = (text) => ok(`did ${text}`), ...rest } = options;
  const input = new PassThrough();
  const output = Object.assign(new PassThrough(), { isTTY });
  const received: Inbound[] = [];
  let time = 0;
  let shown = '';
  output.setEncoding('utf8').on('data', (chunk: string) => (shown += chunk));
  const onExit = vi.fn<() => void>();
  const adapter = createTerminalAdapter({
    input,
    output,
    identity,
    clock: { now: () => new Date(time) },
    onExit,
    receive: async (message) => {
      received.push(message);
      return answer('text' in message.body ? message.body.text : '');
    },
    ...rest,
  });
  await adapter.start();
  onTestFinished(() => adapter.stop(AbortSignal.abort()));
  const sees = (text: string | RegExp) => vi.waitFor(() => expect(shown).toMatch(text), { interval: 2 });
  return {
    adapter,
    input,
    received,
    onExit,
    sees,
    shown: () => shown,
    pass: (milliseconds: number) => (time += milliseconds),
  };
}

describe('on any stream', () => {
  test('one command per line, answered in order, the last one too', async () => {
    const { input, received, onExit, shown } = await openTerminal();
    input.end('task list\n\n  status  \nwhoami');
    await vi.waitFor(() => expect(onExit).toHaveBeenCalledOnce());
    expect(received).toEqual(
      ['task list', 'status', 'whoami'].map((text) => ({
        channel: 'terminal',
        from: identity,
        body: { text },
        conversation: 'terminal',
        origin: { channel: 'terminal', to: 'prompt' },
      })),
    );
    expect(shown()).toBe('✓ did task list\n✓ did status\n✓ did whoami\n');
  });

  test('a slow command does not let the next one overtake it', async () => {
    const slow = Promise.withResolvers<Answer>();
    const { input, received, sees } = await openTerminal({
      answer: (text) => (text === 'one' ? slow.promise : ok(text)),
    });
    input.write('one\ntwo\n');
    await vi.waitFor(() => expect(received).toHaveLength(1));
    slow.resolve(ok('first'));
    await sees(/first\n✓ two/);
  });

  test('a long line and a thousand pasted ones arrive whole', async () => {
    const { input, received, onExit } = await openTerminal();
    const long = `task create "${'wörd '.repeat(20_000)}"`;
    input.end(
      `${long}\r\n${Array.from({ length: 1_000 }, (_, index) => `task show TSK-${index}`).join('\r\n')}`,
    );
    await vi.waitFor(() => expect(onExit).toHaveBeenCalledOnce());
    expect(received).toHaveLength(1_001);
    expect(received[0]?.body).toEqual({ text: long });
    expect(received[1_000]?.body).toEqual({ text: 'task show TSK-999' });
  });

  test('exit ends, and what follows is not run', async () => {
    const { input, received, onExit, adapter } = await openTerminal();
    input.write('status\nexit\ntask list\n');
    await vi.waitFor(() => expect(onExit).toHaveBeenCalledOnce());
    expect(received).toHaveLength(1);
    expect(adapter.health()).toEqual({ state: 'off', reason: 'the input was closed' });
  });
});

describe('answers', () => {
  const render = async (answer: Answer, options: Partial<TerminalOptions> = {}) => {
    const { input, onExit, shown } = await openTerminal({ answer: () => answer, ...options });
    input.end('typed\n');
    await vi.waitFor(() => expect(onExit).toHaveBeenCalled());
    return shown();
  };
  const format = ({ command, args }: { command: string; args: object }) =>
    `${command.replace('.', ' ')} ${Object.values(args).join(' ')}`;

  test('actions are commands to type', async () => {
    const approve = { command: 'approval.approve', args: { approval: 'APR-1' } };
    const answer: Answer = {
      ...ok('JOB-1 waits for an approval'),
      status: 'pending_approval',
      reply: { text: 'JOB-1 waits for an approval', actions: [{ label: 'Approve', invocation: approve }] },
    };
    expect(await render(answer, { format })).toBe(
      '… JOB-1 waits for an approval\n  approval approve APR-1  (Approve)\n',
    );
  });

  test('an action leaves open what it asks for', async () => {
    const deny = { command: 'approval.deny', args: { approval: 'APR-1' } };
    const actions = [{ label: 'Deny', invocation: deny, asks: ['reason'] }];
    const answer: Answer = { ...ok('APR-1'), reply: { text: 'APR-1: ana asks to run', actions } };
    expect(await render(answer, { format })).toBe(
      '✓ APR-1: ana asks to run\n  approval deny APR-1 --reason …  (Deny)\n',
    );
  });

  test('what was read is shown where it differs from what was typed', async () => {
    const invocation = { command: 'task.create', args: { title: 'Fix' } };
    const answer: Answer = { ...ok('Create it?'), status: 'needs_confirmation', invocation };
    expect(await render(answer, { format })).toBe('→ task create Fix\n? Create it?\n');
    expect(await render(answer, { format: () => 'typed' })).toBe('? Create it?\n');
  });

  test('a refusal has its suggestions and when to try again', async () => {
    const error = { code: 'rate_limited', suggestions: ['task list'], retryAfter: 1_500 };
    expect(await render({ ...ok('Too many.'), status: 'error', error })).toBe(
      '✗ Too many.\n  task list\n  Try again in 2 s.\n',
    );
  });

  test('escape sequences and text directions in a title cannot drive the terminal', async () => {
    expect(await render(ok('a\u001B[2Jb\u0007\u202Ec\u009B1m\nd\te'))).toBe('✓ a�[2Jb��c�1m\nd\te\n');
  });

  test('colours only when asked for', async () => {
    expect(await render(ok('fine'), { color: true })).toBe('\u001B[32m✓\u001B[39m fine\n');
  });
});

describe('on a terminal', () => {
  test('prompts, and prompts again after the answer', async () => {
    const { input, received, sees } = await openTerminal({ isTTY: true });
    await sees(/signalbox> /);
    input.write('status\r');
    await sees(/✓ did status\n[^\n]*signalbox> /);
    expect(received).toHaveLength(1);
  });

  test('Tab completes the names of commands', async () => {
    const { input, received, sees } = await openTerminal({
      isTTY: true,
      complete: () => ['task create', 'task list', 'status'],
    });
    input.write('st\t');
    await sees('status');
    input.write('\r');
    await vi.waitFor(() => expect(received[0]?.body).toEqual({ text: 'status' }));
  });

  test('the arrow brings the last command back', async () => {
    const { input, received } = await openTerminal({ isTTY: true });
    input.write('status\r');
    await vi.waitFor(() => expect(received).toHaveLength(1));
    input.write('\u001B[A\r');
    await vi.waitFor(() => expect(received).toHaveLength(2));
    expect(received[1]?.body).toEqual({ text: 'status' });
  });

  test('Ctrl-C clears the line, and twice on an empty one ends', async () => {
    const { input, received, onExit, sees } = await openTerminal({ isTTY: true });
    input.write('task remove everything\u0003');
    input.write('status\r');
    await sees(/did status/);
    expect(received).toHaveLength(1);
    input.write('\u0003');
    await sees(/Ctrl-C again/);
    expect(onExit).not.toHaveBeenCalled();
    input.write('\u0003');
    await vi.waitFor(() => expect(onExit).toHaveBeenCalledOnce());
  });

  test('two Ctrl-C far apart do not end', async () => {
    const { input, onExit, pass, sees } = await openTerminal({ isTTY: true });
    input.write('\u0003');
    await sees(/Ctrl-C again/);
    pass(2_001);
    input.write('\u0003');
    await sees(/again[^]*again/);
    expect(onExit).not.toHaveBeenCalled();
  });

  test('NO_COLOR and plain outputs are heeded through the stream itself', async () => {
    const output = Object.assign(new PassThrough(), { isTTY: true, hasColors: () => true });
    let shown = '';
    output.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const { input } = await openTerminal({ output });
    input.write('status\r');
    await vi.waitFor(() => expect(shown).toContain('\u001B[32m✓'), { interval: 2 });
  });
});

describe('messages unasked', () => {
  const address = { channel: 'terminal', to: 'prompt' } as const;

  test('are printed once, also when they are sent again', async () => {
    const { adapter, shown } = await openTerminal();
    const message = { key: 'k1', reply: { text: 'JOB-1 succeeded' } };
    await adapter.notifier?.send(address, message);
    expect(await adapter.notifier?.send(address, message)).toEqual({ externalId: 'k1' });
    expect(shown()).toBe('JOB-1 succeeded\n');
  });

  test('step around what is being typed', async () => {
    const { adapter, input, received, sees } = await openTerminal({ isTTY: true });
    input.write('sta');
    await sees(/sta$/);
    await adapter.notifier?.send(address, { key: 'k1', reply: { text: 'news' } });
    await sees(/news\n[^\n]*signalbox> sta/);
    input.write('tus\r');
    await vi.waitFor(() => expect(received[0]?.body).toEqual({ text: 'status' }));
  });

  test('wait while the prompt is not open', async () => {
    const { adapter, shown } = await openTerminal();
    await adapter.stop(AbortSignal.abort());
    const sending = adapter.notifier?.send(address, { key: 'k1', reply: { text: 'news' } });
    await expect(sending).rejects.toMatchObject({ code: 'unavailable', retryAfter: 1_000 });
    expect(shown()).toBe('');
  });

  test('for another channel are refused for good', async () => {
    const { adapter } = await openTerminal();
    const sending = adapter.notifier?.send({ channel: 'slack', to: 'C1' }, { key: 'k', reply: { text: '' } });
    await expect(sending).rejects.toThrow(Refusal);
  });
});

describe('stopping', () => {
  test('waits for the running command, takes no further one, and does not report an exit', async () => {
    const slow = Promise.withResolvers<Answer>();
    const { adapter, input, received, onExit, shown } = await openTerminal({ answer: () => slow.promise });
    expect(adapter.health()).toEqual({ state: 'on' });
    input.write('one\ntwo\n');
    await vi.waitFor(() => expect(received).toHaveLength(1));
    const stopped = adapter.stop(new AbortController().signal);
    expect(adapter.health()).toEqual({ state: 'off', reason: 'stopped' });
    slow.resolve(ok('done'));
    await stopped;
    expect(shown()).toBe('✓ done\n');
    expect(received).toHaveLength(1);
    expect(onExit).not.toHaveBeenCalled();
  });

  test('gives up at the deadline', async () => {
    const { adapter, input, received } = await openTerminal({ answer: () => new Promise<Answer>(() => {}) });
    input.write('one\n');
    await vi.waitFor(() => expect(received).toHaveLength(1));
    const deadline = new AbortController();
    const stopped = adapter.stop(deadline.signal);
    deadline.abort();
    await stopped;
  });

  test('is off before the start, and stops then too', async () => {
    const adapter = createTerminalAdapter({
      input: new PassThrough(),
      output: new PassThrough(),
      identity,
      clock: { now: () => new Date(0) },
      receive: async () => ok(''),
    });
    expect(adapter.health()).toEqual({ state: 'off', reason: 'not started' });
    await adapter.stop(new AbortController().signal);
  });

  test('the end of the input is reported once', async () => {
    const { input, onExit, adapter } = await openTerminal({ isTTY: true });
    const closed = once(input, 'end');
    input.end('\u0004');
    await closed;
    await vi.waitFor(() => expect(onExit).toHaveBeenCalledOnce());
    await adapter.stop(new AbortController().signal);
    expect(onExit).toHaveBeenCalledOnce();
  });
});
