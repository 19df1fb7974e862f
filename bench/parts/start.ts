import { setTimeout as after } from 'node:timers/promises';
import { Server } from '../server.ts';
import { median } from '../stats.ts';

export interface Start {
  /** Milliseconds from starting the process to a `/readyz` that says yes. */
  readonly ready: number;
  /** Resident megabytes after a second of doing nothing. */
  readonly idle: number;
}

/** On a new database, Slack and email off. */
export async function start(rounds: number): Promise<Start> {
  const starts: Start[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const server = await Server.start();
    await after(1_000);
    const { resident } = await server.usage();
    await server.stop();
    starts.push({ ready: server.readyAfter, idle: resident / 1e6 });
  }
  return { ready: median(starts.map((s) => s.ready)), idle: median(starts.map((s) => s.idle)) };
}
