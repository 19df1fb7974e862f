import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { Runbook, ShellExecutor } from '../../../src/domain/runbook.ts';
import type { Outcome } from '../../../src/domain/job.ts';
import type { ExecutorDeps } from '../../../src/worker/executors/execution.ts';
import { execute } from '../../../src/worker/executors/index.ts';
import { deps, execution, runbook, type Run } from './bench.ts';
import { bounds } from '../../support/runbook.ts';

vi.mock('node:fs/promises', { spy: true });

const NODE = process.execPath;
const shell = (
  argv: readonly string[],
  env: ShellExecutor['env'] = {},
  changes: Partial<Runbook> = {},
): Runbook => runbook({ kind: 'shell', argv, env }, changes);
const script = (code: string, changes: Partial<Runbook> = {}): Runbook =>
  shell([NODE, '-e', code], {}, changes);

async function run(
  book: Runbook,
  args: JsonObject = {},
  signal?: AbortSignal,
  changes: Partial<ExecutorDeps> = {},
): Promise<Pick<Run, 'lines' | 'effects' | 'progressed'> & { outcome: Outcome }> {
  const tried = execution(book, args, signal);
  const outcome = await execute(tried, deps({ killGrace: 100, ...changes }));
  return { outcome, ...tried };
}

/** Aborts when the program has printed its first line, so that it is known to run. */
async function cancelAfterFirstLine(book: Runbook): Promise<{ outcome: Outcome; lines: string[] }> {
  const cancel = new AbortController();
  const tried = execution(book, {}, cancel.signal);
  const log: Run['log'] = (stream, line) => {
    tried.log(stream, line);
    cancel.abort();
  };
  return { outcome: await execute({ ...tried, log }, deps({ killGrace: 100 })), lines: tried.lines };
}

/** A process that ended but that nobody waited for (a container without init) counts as ended. */
const alive = (pid: number): boolean => {
  try {
    if (!existsSync('/proc/self/stat')) return process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

describe('a program', () => {
  test('runs without a shell, each element one argument', async () => {
    const book = shell(['printf', '%s\n', '${args.branch}', '$(id)', ';', '${args.n}']);
    const { outcome, lines } = await run(book, { branch: 'x --priority P0; rm -rf "$HOME"', n: -3 });
    expect(outcome).toEqual({ kind: 'done', result: { exitCode: 0, signal: null, logLines: 4 } });
    expect(lines).toEqual(['out x --priority P0; rm -rf "$HOME"', 'out $(id)', 'out ;', 'out -3']);
  });

  test('sees PATH and what is declared, and hides what came from our environment', async () => {
    const declared = { MODE: '${args.mode}', TOKEN: '${env:DEPLOY_TOKEN}', SIGNALBOX_JOB: 'JOB-1' };
    const book = shell(['env'], declared);
    const { lines } = await run(book, { mode: 'dry' });
    expect(lines.toSorted()).toEqual([
      'out MODE=dry',
      'out PATH=/usr/local/bin:/usr/bin:/bin',
      'out SIGNALBOX_CAUSE=JOB-7',
      'out SIGNALBOX_IDEMPOTENCY_KEY=job-7',
      'out SIGNALBOX_JOB=JOB-7',
      'out TOKEN=[redacted]',
    ]);
  });

  test('gets an empty directory of its own, which is gone afterwards', async () => {
    const code =
      'const fs=require("fs");console.log(process.cwd(),fs.readdirSync(".").length);fs.writeFileSync("a","b")';
    const { lines } = await run(script(code));
    const [, directory = '', count] = lines[0]?.split(' ') ?? [];
    expect(count).toBe('0');
    expect(directory).toContain('signalbox-job-');
    expect(existsSync(directory)).toBe(false);
  });

  test('has no input to wait for', async () => {
    expect((await run(shell(['cat']))).outcome).toMatchObject({ kind: 'done' });
  });

  test('streams both outputs', async () => {
    const { lines } = await run(script('console.log("a");console.error("b");process.stdout.write("half")'));
    expect(lines.toSorted()).toEqual(['err b', 'out a', 'out half']);
  });

  test('may print anything', async () => {
    const { lines } = await run(
      script('process.stdout.write(Buffer.from([97,0,255,10]));console.log("x".repeat(20000))'),
    );
    expect(lines[0]).toBe('out a\uFFFD\uFFFD');
    expect(lines[1]).toHaveLength('out '.length + 8_192);
    expect(lines[1]?.endsWith('x…')).toBe(true);
  });

  test('cannot bring a secret out around the cut of a long line', async () => {
    const code =
      'const t=process.env.TOKEN;console.log("x".repeat(8185)+t);console.log((t+"xyz").repeat(999))';
    const { lines } = await run(shell([NODE, '-e', code], { TOKEN: '${env:DEPLOY_TOKEN}' }));
    for (const line of lines) expect(line).not.toContain('fake');
    expect(lines).toHaveLength(2);
  });
});

describe('the end', () => {
  test('an exit code fails, with the last word on standard error', async () => {
    const { outcome } = await run(script('console.error("no such branch");process.exit(3)'));
    expect(outcome).toEqual({
      kind: 'fail',
      failure: 'refused',
      reason: 'exit code 3: no such branch',
      result: { exitCode: 3, signal: null, logLines: 1 },
    });
  });

  test('exit code 75 is a temporary failure', async () => {
    expect((await run(script('process.exit(75)'))).outcome).toEqual({
      kind: 'retry',
      failure: 'server',
      reason: 'exit code 75',
    });
  });

  test('a signal', async () => {
    const { outcome } = await run(script('process.kill(process.pid,"SIGKILL")'));
    expect(outcome).toMatchObject({ kind: 'fail', reason: 'ended by SIGKILL' });
  });

  test.each<[string, readonly string[], JsonObject, string]>([
    ['a program that is not there', ['no-such-program'], {}, 'The program "no-such-program" was not found.'],
    ['a program that is no program', ['/etc/passwd'], {}, 'The program "/etc/passwd" may not be executed.'],
    ['nothing', [], {}, "argument 'file' cannot be empty"],
    ['a missing argument', ['echo', '${args.a}'], {}, 'The runbook needs the argument "a".'],
    ['a NUL', ['echo', '${args.a}'], { a: 'b\0c' }, 'without null bytes'],
    [
      'a value that would be an option',
      ['git', 'fetch', '${args.a}'],
      { a: '--upload-pack=x' },
      'needs "--" before it',
    ],
    [
      'one that begins with a digit',
      ['ssh', '${args.a}'],
      { a: '-4oProxyCommand=id' },
      'needs "--" before it',
    ],
    ['a path through a file', ['/etc/passwd/x'], {}, 'cannot be started (ENOTDIR)'],
    ['what no system takes', ['echo', '${args.a}'], { a: 'x'.repeat(3_000_000) }, 'too long'],
  ])('%s fails', async (_what, argv, args, reason) => {
    expect((await run(shell(argv), args)).outcome).toMatchObject({
      kind: 'fail',
      stage: 'start',
      reason: expect.stringContaining(reason),
    });
  });

  test('after "--" a value may begin with a dash', async () => {
    const { lines } = await run(shell(['printf', '--', '${args.a}']), { a: '-x' });
    expect(lines).toEqual(['out -x']);
  });
});

describe('what is done stays done', () => {
  /** A child that leaves the group and holds the output open. */
  const ESCAPED = `const {spawn}=require("child_process");const c=spawn(process.execPath,["-e","setTimeout(()=>{},3000)"],{detached:true,stdio:"inherit"});c.unref();console.log(c.pid);`;

  test('when the time-out comes while a child of its own holds its output open', async () => {
    const { outcome, lines } = await run(script(`${ESCAPED}process.exit(0)`, { timeout: 950 }));
    expect(outcome).toMatchObject({ kind: 'done', result: { exitCode: 0 } });
    process.kill(Number(lines[0]?.slice(4)), 'SIGKILL');
  });

  test('when its folder cannot be removed', async () => {
    vi.mocked(rm).mockRejectedValueOnce(Object.assign(new Error(), { code: 'EACCES' }));
    const { outcome, lines } = await run(script('process.exit(0)'));
    expect(outcome).toMatchObject({ kind: 'done' });
    expect(lines).toEqual(['info the folder of this try could not be removed (EACCES)']);
    await rm(String(vi.mocked(rm).mock.lastCall?.[0]), { recursive: true });
  });
});

describe('stopping', () => {
  const FOREVER = 'setInterval(()=>{},1000);';

  test('at the time-out', async () => {
    const { outcome } = await run(script(FOREVER, { timeout: 200 }));
    expect(outcome).toEqual({
      kind: 'retry',
      failure: 'timeout',
      bound: 'timeout',
      reason: 'stopped after 200 ms (timeout)',
    });
  });

  test('at a cancel, also before the start', async () => {
    expect((await cancelAfterFirstLine(script(`${FOREVER}console.log("up")`))).outcome).toEqual({
      kind: 'cancelled',
    });
    expect((await run(script('console.log("up")'), {}, AbortSignal.abort())).lines).toEqual([]);
  });

  test('at a cancel that comes while the start is prepared', async () => {
    const cancel = new AbortController();
    const running = run(script(FOREVER, { timeout: 5_000 }), {}, cancel.signal);
    cancel.abort();
    expect((await running).outcome).toEqual({ kind: 'cancelled' });
  });

  test('one that ignores SIGTERM', async () => {
    const code = `process.on("SIGTERM",()=>console.log("no"));${FOREVER}console.log(process.pid)`;
    const { outcome, lines } = await cancelAfterFirstLine(script(code));
    expect(outcome).toEqual({ kind: 'cancelled' });
    expect(lines[1]).toBe('out no');
    expect(alive(Number(lines[0]?.slice(4)))).toBe(false);
  });

  test('children too, also those that the program left behind', async () => {
    const child = `require("child_process").spawn(process.execPath,["-e",${JSON.stringify(FOREVER)}],{stdio:"inherit"})`;
    const stopped = await cancelAfterFirstLine(script(`console.log(${child}.pid);${FOREVER}`));
    expect(stopped.outcome).toEqual({ kind: 'cancelled' });
    const left = await run(script(`console.log(${child}.pid);process.exit(0)`));
    expect(left.outcome).toMatchObject({ kind: 'done' });
    for (const { lines } of [stopped, left]) expect(alive(Number(lines[0]?.slice(4)))).toBe(false);
  });

  test('one that prints for ever, at the bound of lines', async () => {
    const { outcome, lines } = await run(
      shell(['yes'], {}, { bounds: bounds({ logLines: 50, outputBytes: 100_000_000 }) }),
    );
    expect(outcome).toEqual({
      kind: 'fail',
      failure: 'refused',
      bound: 'bounds.logLines',
      reason: 'more than 50 lines of output (bounds.logLines)',
    });
    expect(lines).toHaveLength(50);
  });

  test('and at the bound of bytes, in one endless line too', async () => {
    const limits = bounds({ logLines: 100_000_000, outputBytes: 10_000 });
    const { outcome, lines } = await run(shell(['yes'], {}, { bounds: limits }));
    expect(outcome).toEqual({
      kind: 'fail',
      failure: 'refused',
      bound: 'bounds.outputBytes',
      reason: 'more than 10000 bytes of output (bounds.outputBytes)',
    });
    expect(lines).toHaveLength(5_000);
    const endless = await run(
      script('const w=()=>process.stdout.write("x".repeat(1000),w);w()', { bounds: limits }),
    );
    expect(endless.outcome).toMatchObject({ kind: 'fail' });
  });

  test('1 GB of output, from one that ignores SIGTERM, stays within bounds of memory', async () => {
    const code =
      'process.on("SIGTERM",()=>{});const b=Buffer.alloc(1<<20,10);let n=1024;const w=()=>{if(n-->0)process.stdout.write(b,w)};w()';
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5);
    const before = process.memoryUsage().rss;
    const limits = bounds({ outputBytes: 1_000_000, logLines: 100_000 });
    const { outcome, lines } = await run(script(code, { bounds: limits }), {}, undefined, {
      killGrace: 5_000,
    });
    clearInterval(watch);
    expect(outcome).toMatchObject({ kind: 'fail', bound: expect.stringMatching(/^bounds\./) });
    expect(lines.length).toBeLessThanOrEqual(100_000);
    expect(most - before).toBeLessThan(300_000_000);
  });
});

describe('the receipt', () => {
  test.each<[string, string, string]>([
    ['its exit', 'console.log("hi")', 'exit 0'],
    ['a failure', 'process.exit(3)', 'exit 3'],
    ['a signal', 'process.kill(process.pid,"SIGKILL")', 'SIGKILL'],
    ['a time-out', 'setInterval(()=>{},1000)', 'timeout'],
  ])('names the program and %s', async (_what, code, outcome) => {
    const { effects } = await run(script(code, { timeout: outcome === 'timeout' ? 200 : 10_000 }));
    expect(effects).toMatchObject([{ kind: 'shell', target: 'node', outcome }]);
  });

  test('is not there for what never began', async () => {
    expect((await run(shell(['no-such-program']))).effects).toEqual([]);
  });
});

describe('in a sandbox', () => {
  const LIVE = ['gh', 'p_', 'z'.repeat(36)].join('');

  test('a program runs only where the list names its runbook', async () => {
    const closed = await run(script('console.log("up")'), {}, undefined, {
      sandbox: { allow: [], shell: [] },
    });
    expect(closed).toMatchObject({ outcome: { kind: 'fail', stage: 'start' }, lines: [], effects: [] });
    expect(closed.outcome).toMatchObject({ reason: expect.stringContaining('sandbox.shell') });
    const open = await run(script('console.log("up")'), {}, undefined, {
      sandbox: { allow: [], shell: ['deploy'] },
    });
    expect(open.outcome.kind).toBe('done');
  });

  test('and gets no live key', async () => {
    const sandbox = { allow: [], shell: ['deploy'] };
    const changes = { sandbox, env: { PATH: process.env['PATH'], KEY: LIVE } };
    const { outcome } = await run(shell(['env'], { TOKEN: '${env:KEY}' }), {}, undefined, changes);
    expect(outcome).toMatchObject({
      kind: 'fail',
      reason: expect.stringContaining('the variable TOKEN holds'),
    });
    expect(JSON.stringify(outcome)).not.toContain(LIVE);
  });
});
