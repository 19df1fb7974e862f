import { describe, expect, test } from 'vitest';
import type { Runbook } from '../../../src/domain/runbook.ts';
import { runShell } from '../../../src/worker/executors/shell.ts';
import { bounds } from '../../support/runbook.ts';
import { deps, execution, runbook } from './bench.ts';

const shell = (code: string, changes: Partial<Runbook> = {}): Runbook =>
  runbook(
    { kind: 'shell', argv: [process.execPath, '-e', code], env: { TOKEN: '${env:DEPLOY_TOKEN}' } },
    changes,
  );

const SAYS = "const say = (m) => require('fs').writeSync(3, JSON.stringify(m) + '\\n');";

/** A program that says each of these on file descriptor 3, as it stands. */
async function say(...lines: readonly unknown[]) {
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  return run(`require('fs').writeSync(3, ${JSON.stringify(`${text}\n`)})`);
}

async function run(code: string, changes: Partial<Runbook> = {}) {
  const tried = execution(shell(code, changes));
  const outcome = await runShell(tried, deps({ killGrace: 100 }));
  return { outcome, ...tried };
}

describe('file descriptor 3', () => {
  test('progress, usage that is added up, and the last result', async () => {
    const { outcome, progressed, lines } = await say(
      { progress: { percent: 40, text: 'Building' } },
      { usage: { tokens: 1_200, cost: 0.012 } },
      { result: { version: '1' } },
      { progress: { text: 'Done' } },
      { usage: { tokens: 300, minutes: 1.5 } },
      { result: { version: '2', exitCode: 9, signal: 'x' } },
    );
    expect(progressed).toEqual([{ percent: 40, text: 'Building' }, { text: 'Done' }]);
    expect(outcome).toEqual({
      kind: 'done',
      result: { version: '2', exitCode: 0, signal: null, logLines: 0 },
      usage: { units: { tokens: 1_500, minutes: 1.5 }, cost: 12_000 },
    });
    expect(lines).toEqual(['err of the result on file descriptor 3, exitCode, signal was passed over']);
  });

  test('what is none of these is logged and passed over', async () => {
    const { outcome, lines } = await say(
      'no JSON',
      '[1]',
      { unknown: {} },
      { progress: 40 },
      { progress: { percent: 400 } },
      { usage: { tokens: -1 } },
      { progress: {}, usage: {} },
      { result: { fine: true } },
    );
    expect(outcome).toMatchObject({ kind: 'done', result: { fine: true } });
    expect(lines).toHaveLength(7);
    for (const line of lines) expect(line).toMatch(/^err a message on file descriptor 3 was passed over: /);
  });

  test('JSON that is nested without end is one of them', async () => {
    for (const depth of [64, 3_000, 500_000]) {
      const { outcome, lines } = await run(
        `const write = (line) => require('fs').appendFileSync(3, line + '\\n');
         write('{"result":{"a":' + '['.repeat(${depth}) + ']'.repeat(${depth}) + '}}'); write('{"result":{"fine":true}}')`,
      );
      expect(outcome).toMatchObject({ kind: 'done', result: { fine: true } });
      expect(lines).toEqual([expect.stringContaining('at most 2 MiB and 64 levels')]);
    }
  });

  test('more of them than lines of a log stop it', async () => {
    const { outcome, lines } = await run('require("fs").writeSync(3, "x\\n".repeat(30000))', {
      bounds: bounds({ logLines: 50 }),
    });
    expect(outcome).toMatchObject({ kind: 'fail', bound: 'bounds.logLines' });
    expect(lines).toHaveLength(50);
  });

  test('an error of ours ends the program and not this process', async () => {
    const tried = execution(shell(`${SAYS}say({ progress: {} }); setInterval(() => {}, 1000)`));
    const broken = {
      ...tried,
      progress: () => {
        throw new TypeError('broken');
      },
    };
    await expect(runShell(broken, deps({ killGrace: 100 }))).rejects.toThrow('broken');
    expect(tried.effects).toMatchObject([{ kind: 'shell' }]);
  });

  test('a failure reports its usage too', async () => {
    const code = 'require("fs").writeSync(3, JSON.stringify({usage:{tokens:5}}));process.exit(1)';
    expect((await run(code)).outcome).toMatchObject({ kind: 'fail', usage: { units: { tokens: 5 } } });
  });

  test('holds no secret that was given to the program', async () => {
    const { outcome, progressed } = await run(
      `const t = process.env.TOKEN; const say = (m) => require('fs').writeSync(3, JSON.stringify(m) + '\\n');
       say({ progress: { text: 'with ' + t } }); say({ result: { [t]: [t] } });
       say({ artifact: { name: t + '.txt', content: 'x' + t } }); say({ artifact: { name: 'b', kind: 'json', content: { t } } })`,
    );
    expect(JSON.stringify([outcome, progressed])).not.toContain('fake-deploy');
    expect(outcome).toMatchObject({ kind: 'done', result: { '[redacted]': ['[redacted]'] } });
  });

  test('holds none that is a number either', async () => {
    const tried = execution(
      shell(`${SAYS}say({ result: { pin: Number(process.env.TOKEN), other: 81273 } })`),
    );
    const outcome = await runShell(tried, deps({ env: { ...deps().env, DEPLOY_TOKEN: '81270' } }));
    expect(outcome).toMatchObject({ result: { pin: '[redacted]', other: 81_273 } });
  });

  test.each([
    ['a result', { result: { all: 'x'.repeat(70_000) } }, 'a result of more than 65536 characters'],
    [
      'the number of artifacts',
      Array.from({ length: 21 }, () => ({ artifact: { name: 'a', content: '' } })),
      'more than 20 artifacts',
    ],
  ])('bounds %s', async (_what, said, reason) => {
    const { outcome } = await say(...[said].flat());
    expect(outcome).toMatchObject({ kind: 'fail', reason: `${reason} on file descriptor 3` });
  });

  test('bounds what is said at all, also without a line break', async () => {
    const code =
      'const b=Buffer.alloc(1<<20,120);for(let i=0;i<40;i++)try{require("fs").writeSync(3,b)}catch{}';
    const { outcome } = await run(code);
    expect(outcome).toMatchObject({ kind: 'fail', reason: 'more than 33554432 bytes on file descriptor 3' });
  });
});

describe('artifacts', () => {
  const files = (setup: string, ...artifacts: readonly unknown[]) =>
    run(
      `const fs = require('fs'); ${setup};
       fs.writeSync(3, ${JSON.stringify(artifacts.map((artifact) => JSON.stringify({ artifact })).join('\n'))})`,
    );

  test('from what was said, and from files in the directory of the job', async () => {
    const { outcome } = await files(
      "fs.mkdirSync('out'); fs.writeFileSync('out/a.bin', Buffer.from([0, 255])); fs.writeFileSync('b.txt', 'hello')",
      { name: 'notes', content: 'hi' },
      { name: 'facts', kind: 'json', mediaType: 'application/ld+json', content: { a: 1 } },
      { path: 'out/a.bin' },
      { name: 'text', kind: 'text', path: 'b.txt' },
    );
    expect(outcome).toMatchObject({
      kind: 'done',
      artifacts: [
        { name: 'notes', kind: 'text', mediaType: 'text/plain', content: 'hi' },
        { name: 'facts', kind: 'json', mediaType: 'application/ld+json', content: '{"a":1}' },
        { name: 'a.bin', kind: 'file', mediaType: 'application/octet-stream', content: 'AP8=' },
        { name: 'text', kind: 'text', content: 'hello' },
      ],
    });
  });

  test.each([
    ['above it', '', { path: '../../etc/passwd' }, 'its file is not'],
    ['elsewhere', '', { path: '/etc/passwd' }, 'its file is not in the directory of the job'],
    [
      'behind a link',
      "fs.symlinkSync('/etc', 'out')",
      { path: 'out/passwd' },
      'its file is not in the directory',
    ],
    [
      'a link',
      "fs.symlinkSync('/etc/passwd', 'a')",
      { path: 'a' },
      'its file is not in the directory of the job',
    ],
    ['not there', '', { path: 'a' }, 'its file is not there'],
    ['a directory', "fs.mkdirSync('a')", { path: 'a' }, 'it is no regular file'],
    [
      'a named pipe',
      "require('child_process').execFileSync('mkfifo', ['a'])",
      { path: 'a' },
      'it is no regular file',
    ],
    ['too large', "fs.writeFileSync('a', Buffer.alloc(1000001))", { path: 'a' }, 'more than 1000000 bytes'],
    ['of no kind', '', { name: 'a', kind: 'picture', content: '' }, 'expected text, json or file'],
    ['with neither', '', { name: 'a' }, 'expected either content or a path'],
    ['without a name', '', { content: 'x' }, 'expected a name'],
  ])('one that is %s fails the job, whose result is kept', async (_what, setup, artifact, reason) => {
    const { outcome } = await files(setup, artifact);
    expect(outcome).toMatchObject({
      kind: 'fail',
      stage: 'report',
      reason: expect.stringContaining(reason),
      result: { exitCode: 0 },
    });
  });
});
