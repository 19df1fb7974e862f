import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createDatabase } from '../support/postgres.ts';
import { run, Server, Worker } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';
import { SHORT } from './server.ts';

const TOTAL = SHORT ? 600 : 5_000;
const MACHINES = 3;
const LANES = 24;
/** One of so many asks is for a job, the others for a task. */
const JOB_EVERY = 4;
const KILLS = SHORT ? 6 : 24;
const TOKEN = 'an-example-token-of-the-administrator';

interface Ask {
  readonly key: string;
  readonly text: string;
  /** The id that the acknowledgement named. */
  acknowledged?: string;
}

/** The far side of every job: counts what arrives under each `Idempotency-Key`. */
async function farSide() {
  const arrived = new Map<string, number>();
  const server = createServer((req, res) => {
    const key = String(req.headers['idempotency-key']);
    arrived.set(key, (arrived.get(key) ?? 0) + 1);
    res.end('{}');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => server.close().closeAllConnections());
  return { arrived, port: (server.address() as AddressInfo).port };
}

const config = (port: number) => `
limits: { perSender: 1000000000, perChannel: 1000000000, perWorkspace: 1000000000 }
jobs: { queued: 100000 }
allowedHosts: ['127.0.0.1:${port}']
runbooks:
  post:
    summary: Leaves a trace on the far side
    risk: write
    permission: runbook:post
    timeout: 20s
    tries: { max: 10, backoff: 100ms, cap: 1s }
    bounds: { logLines: 10, outputBytes: 1000 }
    args: { required: [name], properties: { name: { type: string } } }
    executor: { kind: http, method: POST, url: 'http://127.0.0.1:${port}/\${args.name}' }
`;

/** Servers and workers on one database; each kill is answered by a new process in its place. */
class Fleet {
  readonly servers: Server[] = [];
  readonly workers: Worker[] = [];
  readonly #options: { folder: string; env: Record<string, string> };
  readonly #coming = new Set<Promise<void>>();
  kills = 0;

  constructor(folder: string, database: string) {
    this.#options = {
      folder,
      env: { SIGNALBOX_DB: database, SIGNALBOX_ADMIN_TOKEN: TOKEN, LOG_LEVEL: 'warn' },
    };
  }

  async start(): Promise<void> {
    // The first one makes the schema; the others find it.
    this.servers.push(await Server.start(this.#options));
    const more = Array.from({ length: MACHINES - 1 }, () => Server.start(this.#options));
    const workers = Array.from({ length: MACHINES }, () => Worker.start(this.#options));
    this.servers.push(...(await Promise.all(more)));
    this.workers.push(...(await Promise.all(workers)));
  }

  /** Any server; the one that is asked may be gone before it answers. */
  any(): Server {
    return this.servers[randomInt(this.servers.length)] as Server;
  }

  killOne(): void {
    this.kills += 1;
    const replace = async () => {
      if (randomInt(2) === 0) {
        const [gone] = this.servers.splice(randomInt(this.servers.length), 1);
        await gone?.stop('SIGKILL');
        this.servers.push(await Server.start(this.#options));
      } else {
        const [gone] = this.workers.splice(randomInt(this.workers.length), 1);
        await gone?.stop('SIGKILL');
        this.workers.push(await Worker.start(this.#options));
      }
    };
    const coming = replace().finally(() => this.#coming.delete(coming));
    this.#coming.add(coming);
  }

  get settled(): boolean {
    return this.#coming.size === 0;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#coming);
    await Promise.all([...this.servers, ...this.workers].map((each) => each.stop()));
  }
}

/** Asks until it is acknowledged, each time with the same key and of whichever server is there. */
async function acknowledge(fleet: Fleet, ask: Ask): Promise<void> {
  for (;;) {
    try {
      const answer = await fleet.any().command(ask.text, ask.key);
      const body = (await answer.json()) as { status?: string; reply?: { data?: { id?: string } } };
      if (body.status === 'ok' && body.reply?.data?.id !== undefined) {
        ask.acknowledged = body.reply.data.id;
        return;
      }
      if (answer.status !== 503) throw new TypeError(`${ask.key} was answered with ${JSON.stringify(body)}`);
    } catch (error) {
      if (!/fetch failed|terminated|other side closed|ECONN|Unexpected end/.test(String(error))) throw error;
    }
    await new Promise(setImmediate);
  }
}

test(`${MACHINES} servers and ${MACHINES} workers on one PostgreSQL, killed at random while ${TOTAL} commands and jobs pass`, async () => {
  const folder = tempFolder();
  const { arrived, port } = await farSide();
  writeFileSync(join(folder, 'signalbox.yaml'), config(port));
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const fleet = new Fleet(folder, database.url);
  onTestFinished(() => fleet.stop());
  await fleet.start();

  const asks = Array.from({ length: TOTAL }, (_, n): Ask => {
    const text = n % JOB_EVERY === 0 ? `job run post --name run-${n}` : `task create title-${n}`;
    return { key: `key-${n}`, text };
  });
  const left = [...asks];
  const lane = async () => {
    for (let ask = left.pop(); ask; ask = left.pop()) {
      if (left.length % Math.ceil(TOTAL / KILLS) === 0 && fleet.servers.length > 1) fleet.killOne();
      await acknowledge(fleet, ask);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await vi.waitFor(() => expect(fleet.settled).toBe(true), { timeout: 60_000, interval: 100 });

  // What is acknowledged is answered the same by any of them.
  for (const ask of asks.slice(0, 20)) {
    const before = ask.acknowledged;
    await acknowledge(fleet, ask);
    expect(ask.acknowledged).toBe(before);
  }
  const column = async (sql: string) =>
    (await database.sql<{ value: string }>(sql)).map(({ value }) => value);
  await vi.waitFor(
    async () => {
      const open = `SELECT ref AS value FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')`;
      expect(await column(open)).toEqual([]);
    },
    { timeout: 180_000, interval: 250 },
  );
  const tasks = await column('SELECT title AS value FROM tasks');
  const jobs = await column(`SELECT args::json ->> 'name' AS value FROM jobs WHERE state = 'succeeded'`);
  const wanted = asks.map(({ text }) => text.split(' ').at(-1) ?? '');
  const effects = [...tasks, ...jobs];
  const duplicates = effects.length - new Set(effects).size;
  const losses = wanted.filter((name) => !effects.includes(name));
  const verified = await run(['audit', 'verify'], { folder, env: { SIGNALBOX_DB: database.url } });
  process.stdout.write(
    `sent ${asks.length}, acknowledged ${asks.filter((a) => a.acknowledged).length}, ` +
      `effects found ${effects.length}, duplicates ${duplicates}, losses ${losses.length}, ` +
      `killed ${fleet.kills}, ${verified.out.trim()}\n`,
  );
  expect({ duplicates, losses }).toEqual({ duplicates: 0, losses: [] });
  expect(effects.toSorted()).toEqual(wanted.toSorted());
  // Each job has one key on the far side, whatever was killed: a repeat can be told there.
  expect(arrived.size).toBe(jobs.length);
  expect(verified).toMatchObject({ code: 0 });
});
