import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test, vi } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** A port that was free a moment ago: the child has to be told one, as `.env` and the README do. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('`npm start` answers /healthz and stops cleanly when told to', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-smoke-'));
  const database = join(folder, 'signalbox.db');
  const port = await freePort();
  const child = spawn('npm', ['start'], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      PORT: String(port),
      SIGNALBOX_DB: database,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // its own group, so that npm's child is told to stop as a terminal's Ctrl-C would
  });
  let output = '';
  const read = (chunk: Buffer): void => void (output += chunk.toString());
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const over = once(child, 'close');
  try {
    await vi.waitFor(
      async () => {
        expect(child.exitCode, output).toBeNull();
        const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
        expect(answer.status).toBe(200);
        expect(output).toContain(`127.0.0.1:${port}`);
      },
      { timeout: 15_000, interval: 50 },
    );
  } finally {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
    await over;
  }
  // npm itself ends by the signal, so the exit code tells nothing; a database that was closed has no log beside it.
  const left = [database, `${database}-wal`].map((path) => existsSync(path));
  rmSync(folder, { recursive: true, force: true });
  expect(left, output).toEqual([true, false]);
});
