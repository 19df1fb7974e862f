import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { overTime } from '../../domain/bounds.ts';
import { clip } from '../../domain/clip.ts';
import { SECOND } from '../../domain/clock.ts';
import { asRefusal, Refusal } from '../../domain/errors.ts';
import type { Outcome, Usage } from '../../domain/job.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import type { ShellExecutor } from '../../domain/runbook.ts';
import { Child, type Ended } from './child.ts';
import { Control } from './control.ts';
import type { Execution, ExecutorDeps } from './execution.ts';
import { Output } from './output.ts';
import { Templates } from './template.ts';

/** `sysexits.h`: a temporary failure, worth another try. */
const EX_TEMPFAIL = 75;
const KILL_GRACE = 2 * SECOND;

/**
 * Runs a program (never a shell) in an empty directory of its own, with PATH, the declared variables and three of ours
 * as its whole environment; streams its output, and reads what it reports on file descriptor 3. It and all its children
 * are stopped at the time-out, at a cancel and when it passes a bound. Exit code 0 is done, 75 and a time-out are worth
 * another try, anything else fails.
 */
export async function runShell(execution: Execution, deps: ExecutorDeps): Promise<Outcome> {
  const { executor } = execution.runbook;
  if (executor.kind !== 'shell') throw new TypeError(`${execution.runbook.name} is no shell runbook`);
  if (execution.signal.aborted) return { kind: 'cancelled' };
  const templates = new Templates(execution.args, deps);
  const directory = await mkdtemp(deps.warden?.folders ?? join(tmpdir(), 'signalbox-job-'));
  try {
    const child = start(executor, execution, templates, directory, deps);
    return await attend(child, execution, { templates, directory, deps });
  } catch (error) {
    const refusal = startRefusal(error, executor.argv[0] ?? '');
    if (refusal.code === 'internal') throw error;
    return { kind: 'fail', failure: 'refused', stage: 'start', reason: templates.hide(refusal.message) };
  } finally {
    // A child of its own may still write there, or have taken the right away; what was done stays done.
    await rm(directory, { recursive: true, force: true }).catch(({ code }: NodeJS.ErrnoException) =>
      execution.log('info', `the folder of this try could not be removed (${code})`),
    );
  }
}

function start(
  executor: ShellExecutor,
  { cause, idempotencyKey }: Execution,
  templates: Templates,
  cwd: string,
  { env, warden }: ExecutorDeps,
): Child {
  const argv = filledArgv(executor.argv, templates);
  const declared = templates.fillAll(executor.env, 'the variable');
  const whole = {
    PATH: env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    ...declared,
    SIGNALBOX_JOB: cause,
    SIGNALBOX_CAUSE: cause,
    SIGNALBOX_IDEMPOTENCY_KEY: idempotencyKey,
  };
  return new Child(argv, cwd, whole, warden);
}

/** A negative number; anything else with a dash before it may be an option, `-4` and what follows it too. */
const NUMBER = /^-\d+(?:\.\d+)?$/;

/** Each element is one argument; a value that would pass for an option needs a `--` before it in the runbook. */
function filledArgv(argv: readonly string[], templates: Templates): string[] {
  const end = argv.indexOf('--');
  return argv.map((element, index) => {
    const filled = templates.fill(element, 'text', `element ${index} of argv`);
    if (
      element.startsWith('${args.') &&
      filled.startsWith('-') &&
      !NUMBER.test(filled) &&
      (end < 0 || index < end)
    )
      throw new Refusal(
        'invalid_argument',
        `"${filled}" would be read as an option: the runbook needs "--" before it.`,
      );
    return filled;
  });
}

interface Around {
  readonly templates: Templates;
  readonly directory: string;
  readonly deps: ExecutorDeps;
}

/** Waits for the end of the program, of its children and of its output. */
async function attend(child: Child, execution: Execution, around: Around): Promise<Outcome> {
  const { templates, deps } = around;
  const { runbook, signal } = execution;
  let stopped: Outcome | undefined;
  const stop = (why: Outcome): void => {
    if (stopped !== undefined) return;
    stopped = why;
    child.stop(deps.killGrace ?? KILL_GRACE);
  };
  // Once it has ended by itself, it is done, whoever still holds its output open; what it wrote is held to the bounds.
  const stopRunning = (why: Outcome): void => (child.exited ? undefined : stop(why));
  const output = new Output(execution, templates, stop);
  const control = new Control(execution, templates, stop);
  const timeout = setTimeout(() => stopRunning(overTime(runbook)), runbook.timeout);
  const cancel = (): void => stopRunning({ kind: 'cancelled' });
  signal.addEventListener('abort', cancel, { once: true });
  // It may have come while the folder was made.
  if (signal.aborted) cancel();
  const startedAt = deps.clock.now();
  let word = 'unreadable';
  let outcome: Outcome | undefined;
  try {
    const ended = await child.ended(output, control);
    word = stopped ? wordOf(stopped) : wordOfEnd(ended);
    outcome = withUsage(stopped ?? (await outcomeOf(ended, output, control, around)), control.usage);
    return outcome;
  } finally {
    if (child.began)
      execution.effect({
        kind: 'shell',
        target: clip(basename((runbook.executor as ShellExecutor).argv[0] ?? ''), 200),
        outcome: word,
        result: outcome && 'result' in outcome && outcome.result ? outcome.result : null,
        startedAt,
        endedAt: deps.clock.now(),
      });
    clearTimeout(timeout);
    signal.removeEventListener('abort', cancel);
  }
}

const withUsage = (outcome: Outcome, usage: Usage | undefined): Outcome =>
  usage && outcome.kind !== 'wait' ? { ...outcome, usage } : outcome;

const wordOf = (stopped: Outcome): string => {
  if (stopped.kind === 'cancelled') return 'cancelled';
  return stopped.kind === 'retry' ? 'timeout' : 'stopped at a bound';
};

const wordOfEnd = ({ code, signal }: Ended): string => (code === null ? `${signal}` : `exit ${code}`);

async function outcomeOf(
  ended: Ended,
  output: Output,
  control: Control,
  { templates, directory }: Pick<Around, 'templates' | 'directory'>,
): Promise<Outcome> {
  const { code, signal } = ended;
  const result: JsonObject = {
    ...control.result,
    ...({ exitCode: code, signal, logLines: output.lines } satisfies Record<string, Json>),
  };
  if (code === 0) return productsOf(control, directory, templates, result);
  const what = code === null ? `ended by ${signal}` : `exit code ${code}`;
  const reason = output.lastError === '' ? what : `${what}: ${output.lastError}`;
  if (code === EX_TEMPFAIL) return { kind: 'retry', failure: 'server', reason };
  return { kind: 'fail', failure: 'refused', reason, result };
}

/** What it made is read before its directory goes; what cannot be read is no reason to do it all again. */
async function productsOf(
  control: Control,
  directory: string,
  templates: Templates,
  result: JsonObject,
): Promise<Outcome> {
  try {
    const artifacts = await control.products(directory);
    return { kind: 'done', result, ...(artifacts.length > 0 && { artifacts }) };
  } catch (error) {
    const why = error instanceof Refusal ? error.message : (error as NodeJS.ErrnoException).code;
    const reason = `an artifact cannot be taken: ${templates.hide(why ?? 'it cannot be read')}`;
    return { kind: 'fail', stage: 'report', reason, result };
  }
}

/** What may be better the next time, and is no fault of the runbook's. */
const PASSING = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM']);

function startRefusal(error: unknown, program: string): Refusal {
  const { code = '', message, syscall = '' } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new Refusal('not_found', `The program "${program}" was not found.`);
  if (code === 'EACCES') return new Refusal('forbidden', `The program "${program}" may not be executed.`);
  if (code === 'E2BIG')
    return new Refusal('too_large', 'The arguments and the environment are too long for the system.');
  if (code === 'ERR_INVALID_ARG_VALUE') return new Refusal('invalid_argument', message);
  if (syscall.startsWith('spawn') && !PASSING.has(code))
    return new Refusal('invalid_argument', `The program "${program}" cannot be started (${code}).`);
  return asRefusal(error);
}
