import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { run, type Server } from '../support/spawn.ts';
import { Load } from './load.ts';
import { longRun, SHORT } from './server.ts';

/** Acknowledged commands, in parts after each of which memory is read. */
const PARTS = 8;
const PART = SHORT ? 1_000 : 5_000;
const SOCKETS = SHORT ? 50 : 100;
/** What may grow with the load: pages of the database that SQLite keeps, and garbage between two collections. */
const ALLOWED = 60 * 1024 * 1024;

async function memory(server: Server): Promise<number> {
  const metrics = await (await server.fetch('/metrics')).text();
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(metrics)?.[1]);
}

/** A socket that follows every task, counting what it gets; some come and go all the time. */
async function follow(server: Server, counts: { events: number }): Promise<WebSocket> {
  const headers = { authorization: `Bearer ${server.token}` };
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/ws`, ['signalbox.v1'], { headers });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'subscribe', topics: ['task.created'] }));
  await once(socket, 'message');
  socket.on('message', () => (counts.events += 1));
  return socket;
}

test(`${PARTS * PART} commands beside ${SOCKETS} followers: memory stays, and no event is missing`, async () => {
  const world = longRun();
  onTestFinished(world.remove);
  const server = await world.start();
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  const load = new Load();
  const counts = { events: 0 };
  const followers = await Promise.all(Array.from({ length: SOCKETS }, () => follow(server, counts)));
  const passing = { events: 0 };
  const readings: number[] = [];
  for (let part = 1; part <= PARTS; part += 1) {
    const gone = await Promise.all(Array.from({ length: SOCKETS }, () => follow(server, passing)));
    await load.run(server, () => load.acknowledged >= part * PART, 8);
    for (const socket of gone) socket.terminate();
    readings.push(await memory(server));
  }
  expect(load.asks.every((ask) => ask.acknowledged !== undefined)).toBe(true);
  while (counts.events < load.acknowledged * SOCKETS)
    await Promise.race(followers.map((socket) => once(socket, 'message')));
  expect(counts.events).toBe(load.acknowledged * SOCKETS);
  expect(followers.every((socket) => socket.readyState === WebSocket.OPEN)).toBe(true);
  // The first parts warm up; from then on it is level.
  const settled = Math.max(...readings.slice(1, PARTS / 2));
  const last = readings.at(-1) ?? 0;
  expect(
    last - settled,
    readings.map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`).join(', '),
  ).toBeLessThan(ALLOWED);
  for (const socket of followers) socket.close();
  expect(await server.stop()).toMatchObject({ code: 0, err: '' });
  expect(await run(['audit', 'verify'], { folder: world.folder })).toMatchObject({ code: 0 });
});
