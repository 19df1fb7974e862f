import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { SECOND } from '../../domain/clock.ts';
import { asRefusal, Refusal } from '../../domain/errors.ts';
import type { Outcome } from '../../domain/job.ts';
import type { ShellExecutor } from '../../domain/runbook.ts';
import type { Execution, ExecutorDeps } from './execution.ts';
import { Output } from './output.ts';
import { Templates } from './template.ts';

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** `sysexits.h`: a temporary failure, worth another try. */
const EX_TEMPFAIL = 75;
const KILL_GRACE = 2 * SECOND;
/** How long pipes may stay open after the program ended, held by a child that left the process group. */
const PIPE_GRACE = SECOND;

/**
 * Runs a program (never a shell) in an empty directory of its own, with PATH and the declared variables as its whole
 * environment, and streams its output. It and all its children are stopped at the time-out, at a cancel and when the
 * output passes a bound. Exit code 0 is done, 75 and a time-out are worth another try, anything else fails.
 */
export async function runShell(execution: Execution, deps: ExecutorDeps): Promise<Outcome> {
  const { executor } = execution.runbook;
  if (executor.kind !== 'shell') throw new TypeError(`${execution.runbook.name} is no shell runbook`);
  if (execution.signal.aborted) return { kind: 'cancelled' };
  const templates = new Templates(execution.args, deps.env);
  const directory = await mkdtemp(join(tmpdir(), 'signalbox-job-'));
  try {
    const child = start(executor, templates, directory, deps);
    return await attend(child, execution, templates, deps.killGrace ?? KILL_GRACE);
  } catch (error) {
    const refusal = startRefusal(error, executor.argv[0] ?? '');
    if (refusal.code === 'internal') throw error;
    return { kind: 'fail', reason: templates.hide(refusal.message) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function start(executor: ShellExecutor, templates: Templates, cwd: string, deps: ExecutorDeps): Child {
  const [program = '', ...args] = filledArgv(executor.argv, templates);
  const env = {
    PATH: deps.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    ...templates.fillAll(executor.env),
  };
  // Detached: the leader of a process group of its own, so that its children can be stopped with it.
  return spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Each element is one argument; a value that would pass for an option needs a `--` before it in the runbook. */
function filledArgv(argv: readonly string[], templates: Templates): string[] {
  const end = argv.indexOf('--');
  return argv.map((element, index) => {
    const filled = templates.fill(element);
    if (
      element.startsWith('${args.') &&
      filled.startsWith('-') &&
      !/^-\d/.test(filled) &&
      (end < 0 || index < end)
    )
      throw new Refusal(
        'invalid_argument',
        `"${filled}" would be read as an option: the runbook needs "--" before it.`,
      );
    return filled;
  });
}

/** Waits for the end of the program, of its children and of its output. */
async function attend(
  child: Child,
  execution: Execution,
  templates: Templates,
  grace: number,
): Promise<Outcome> {
  const { runbook, signal } = execution;
  let stopped: Outcome | undefined;
  let killer: NodeJS.Timeout | undefined;
  const stop = (why: Outcome): void => {
    if (stopped !== undefined) return;
    stopped = why;
    killGroup(child, 'SIGTERM');
    killer = setTimeout(() => killGroup(child, 'SIGKILL'), grace);
  };
  const output = new Output(execution, templates, (reason) => stop({ kind: 'fail', reason }));
  const timeout = setTimeout(
    () => stop({ kind: 'retry', reason: `stopped after ${runbook.timeout} ms (timeout)` }),
    runbook.timeout,
  );
  const cancel = (): void => stop({ kind: 'cancelled' });
  signal.addEventListener('abort', cancel, { once: true });
  // It may have come while the folder was made.
  if (signal.aborted) cancel();
  try {
    const [code, killedBy] = await ended(child, output);
    return stopped ?? outcomeOf(code, killedBy, output);
  } finally {
    clearTimeout(timeout);
    clearTimeout(killer);
    signal.removeEventListener('abort', cancel);
  }
}

/** Resolves with exit code and signal once the output is read to its end. @throws when it could not be started. */
function ended(child: Child, output: Output): Promise<[number | null, NodeJS.Signals | null]> {
  child.stdout.on('data', (chunk: Buffer) => output.write('out', chunk));
  child.stderr.on('data', (chunk: Buffer) => output.write('err', chunk));
  return new Promise((resolve, reject) => {
    let pipes: NodeJS.Timeout | undefined;
    child.once('error', reject);
    child.once('exit', () => {
      // Whoever it left behind in its group ends with it.
      killGroup(child, 'SIGKILL');
      pipes = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, PIPE_GRACE);
    });
    child.once('close', (code, killedBy) => {
      clearTimeout(pipes);
      output.end();
      resolve([code, killedBy]);
    });
  });
}

function killGroup(child: Child, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // ESRCH: nobody is left. EPERM: macOS says so of a group of zombies.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function outcomeOf(code: number | null, killedBy: NodeJS.Signals | null, output: Output): Outcome {
  const result = { exitCode: code, signal: killedBy, logLines: output.lines };
  if (code === 0) return { kind: 'done', result };
  const what = code === null ? `ended by ${killedBy}` : `exit code ${code}`;
  const reason = output.lastError === '' ? what : `${what}: ${output.lastError}`;
  return code === EX_TEMPFAIL ? { kind: 'retry', reason } : { kind: 'fail', reason, result };
}

function startRefusal(error: unknown, program: string): Refusal {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new Refusal('not_found', `The program "${program}" was not found.`);
  if (code === 'EACCES') return new Refusal('forbidden', `The program "${program}" may not be executed.`);
  if (code === 'E2BIG')
    return new Refusal('too_large', 'The arguments and the environment are too long for the system.');
  if (code === 'ERR_INVALID_ARG_VALUE') return new Refusal('invalid_argument', message);
  return asRefusal(error);
}
