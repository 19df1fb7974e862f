import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startServer } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

/** A program that ignores SIGTERM, with a child that does, too. */
const STUBBORN = `
  const { spawn } = require('child_process');
  const { writeFileSync } = require('fs');
  process.on('SIGTERM', () => undefined);
  const forever = 'process.on("SIGTERM",()=>{});setInterval(()=>{},1000)';
  const child = spawn(process.execPath, ['-e', forever], { stdio: 'ignore' });
  writeFileSync(process.argv[1], process.pid + ' ' + child.pid + ' ' + process.cwd());
  setInterval(() => undefined, 1000);
`;

/** Ended, or nobody's to wait for (a container without init). */
const isGone = (pid: number): boolean => {
  try {
    if (!existsSync('/proc/self/stat')) return !process.kill(pid, 0);
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
};

test('a server that is killed leaves no program of a job behind, nor its folder', async () => {
  const folder = tempFolder();
  const pids = join(folder, 'pids');
  const argv = JSON.stringify([process.execPath, '-e', STUBBORN, pids]);
  writeFileSync(
    join(folder, 'signalbox.yaml'),
    `runbooks:
  stay:
    summary: Stay
    risk: read
    permission: runbook:stay
    timeout: 5m
    tries: { max: 1 }
    bounds: { logLines: 10, outputBytes: 1000 }
    executor: { kind: shell, argv: ${argv} }
`,
  );
  const server = await startServer({ folder });
  expect((await server.command('job run stay')).status).toBe(200);
  await expect
    .poll(() => existsSync(pids) && readFileSync(pids, 'utf8'), { timeout: 10_000 })
    .toMatch(/^\d+ \d+ .+$/);
  const [one, other, directory = ''] = readFileSync(pids, 'utf8').split(' ');
  const programs = [one, other].map(Number);
  expect(existsSync(directory)).toBe(true);
  expect(programs.map(isGone)).toEqual([false, false]);
  await server.stop('SIGKILL');
  await expect.poll(() => programs.map(isGone), { timeout: 10_000 }).toEqual([true, true]);
  await expect.poll(() => existsSync(directory), { timeout: 10_000 }).toBe(false);
});
