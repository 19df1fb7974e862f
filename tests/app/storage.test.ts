import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { run, startServer, type Server } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const TOKEN = { SIGNALBOX_ADMIN_TOKEN: 'an-example-token-of-the-administrator' };

const LONG = 'x'.repeat(7_000);

async function titles(server: Server): Promise<string[]> {
  const page = (await (await server.fetch('/v1/tasks?limit=200')).json()) as { items: { title: string }[] };
  return page.items.map((task) => task.title);
}

test('a database that another process has locked: 503 with Retry-After, readyz tells, and it recovers', async () => {
  const folder = tempFolder();
  const server = await startServer({ folder, env: TOKEN });
  expect((await server.command('task create before', 'k1')).status).toBe(200);
  const other = new Database(join(folder, 'signalbox.db'));
  other.exec('BEGIN IMMEDIATE');
  const asked = server.command('task create during', 'k2');
  // Who waits for the lock waits alone: the process goes on at once.
  expect((await server.fetch('/healthz', { signal: AbortSignal.timeout(1_500) })).status).toBe(200);
  const refused = await asked;
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await refused.json()).toMatchObject({
    code: 'unavailable',
    detail: expect.stringMatching(/locked by another process/) as string,
  });
  const readiness = await server.fetch('/readyz');
  expect(readiness.status).toBe(503);
  expect(await readiness.json()).toMatchObject({
    ok: false,
    checks: { database: expect.stringMatching(/locked/) as string },
  });
  other.exec('ROLLBACK');
  other.close();
  // The same key again: it was not consumed, since nothing was done.
  expect((await server.command('task create during', 'k2')).status).toBe(200);
  expect((await server.fetch('/readyz')).status).toBe(200);
  expect((await titles(server)).toSorted()).toEqual(['before', 'during']);
  expect(await server.stop()).toMatchObject({ code: 0 });
});

test('a start on a locked database gives up with a reason', async () => {
  const folder = tempFolder();
  expect((await run(['migrate'], { folder })).code).toBe(0);
  const other = new Database(join(folder, 'signalbox.db'));
  other.exec('BEGIN IMMEDIATE');
  const ended = await run(['start'], { folder });
  other.close();
  expect(ended).toMatchObject({ code: 1, out: '' });
  expect(ended.err).toMatch(/^✗ The database .* is locked by another process; try again shortly\.\n$/);
});

/** A file system of 3 MB for the data, as root or where users may make namespaces. */
const OWN_MOUNTS = ['unshare', '--user', '--map-root-user', '--mount'];
const small = spawnSync('sh', ['-c', `${OWN_MOUNTS.join(' ')} mount -t tmpfs tmpfs /mnt`]).status === 0;

test.runIf(small)('a full disk: 503, the process goes on, and nothing acknowledged is lost', async () => {
  const folder = tempFolder();
  const data = join(folder, 'data');
  mkdirSync(data);
  const server = await startServer({
    folder,
    env: { ...TOKEN, SIGNALBOX_DB: join(data, 'signalbox.db') },
    through: [...OWN_MOUNTS, 'sh', '-c', `mount -t tmpfs -o size=3m tmpfs ${data} && exec "$@"`, 'sh'],
  });
  // The data as the process sees it.
  const inside = join(`/proc/${server.pid}/root`, data);
  expect((await server.command('task create kept', 'k0')).status).toBe(200);
  const filler = join(inside, 'filler');
  writeFileSync(filler, Buffer.alloc(2 * 1024 * 1024));

  const kept = ['kept'];
  let refused = 0;
  for (let n = 1; refused < 5 && n < 200; n += 1) {
    const answer = await server.command(`task create task-${n} --description ${LONG}`, `k${n}`);
    if (answer.status === 200) kept.push(`task-${n}`);
    else {
      refused += 1;
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(await answer.json()).toMatchObject({ detail: expect.stringMatching(/disk/) as string });
    }
  }
  expect(refused).toBe(5);
  expect(kept.length).toBeGreaterThan(1);
  expect((await server.fetch('/healthz')).status).toBe(200);
  expect((await titles(server)).toSorted()).toEqual(kept.toSorted());

  rmSync(filler);
  expect((await server.command('task create after')).status).toBe(200);
  expect((await titles(server)).toSorted()).toEqual([...kept, 'after'].toSorted());
  expect(await (await server.command('audit verify')).text()).toContain('"ok":true');
  expect(await server.stop()).toMatchObject({ code: 0 });
});

test('a disk that takes no more bytes: 503, and after kill -9 all that was acknowledged is there', async () => {
  const folder = tempFolder();
  // The kernel refuses writes beyond 1 MiB in a file (EFBIG), which needs no privileges to set up.
  const through = ['sh', '-c', 'ulimit -f 2048; exec "$@"', 'sh'];
  const server = await startServer({ folder, env: TOKEN, through });
  const kept: string[] = [];
  await vi.waitFor(
    async () => {
      const answer = await server.command(`task create task-${kept.length} --description ${LONG}`);
      if (answer.status === 200) kept.push(`task-${kept.length}`);
      expect(answer.status).toBe(503);
    },
    { timeout: 15_000, interval: 1 },
  );
  expect((await server.fetch('/healthz')).status).toBe(200);
  await server.stop('SIGKILL');
  const again = await startServer({ folder, env: TOKEN });
  expect((await titles(again)).toSorted()).toEqual(kept.toSorted());
  expect(await run(['audit', 'verify'], { folder })).toMatchObject({ code: 0 });
});
