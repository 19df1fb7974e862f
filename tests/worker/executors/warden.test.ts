import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import pino from 'pino';
import { expect, test } from 'vitest';
import { Warden } from '../../../src/worker/executors/warden.ts';

/** The shells that watch over this folder's programs. */
const shells = (folders: string): number[] =>
  execFileSync('ps', ['-A', '-o', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.endsWith(` sh ${folders}`))
    .map((line) => Number.parseInt(line, 10));

test('a shell that was ended is told of, and another one watches', async () => {
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
  const warden = new Warden(log, 'fake-1');
  const folder = mkdtempSync(warden.folders);
  const program = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  warden.watch(program.pid ?? 0);
  const [first] = shells(warden.folders);
  expect(first).toBeGreaterThan(0);
  process.kill(first ?? 0, 'SIGKILL');
  await expect.poll(() => warnings).toHaveLength(1);
  await expect.poll(() => shells(warden.folders), { timeout: 5_000 }).toHaveLength(1);
  expect(shells(warden.folders)).not.toEqual([first]);
  // As when this process ends without a word: it knows of the program, and takes the folder away.
  const ended = once(program, 'exit');
  await warden.stop();
  expect(await ended).toEqual([null, 'SIGTERM']);
  await expect.poll(() => existsSync(folder), { timeout: 5_000 }).toBe(false);
});
