import { setTimeout as after } from 'node:timers/promises';
import { measure, type Measured } from './measure.ts';
import { numbered, type Numbering } from './numbered.ts';
import { Caller } from './round-trips.ts';
import { Frames, type Upgrade } from './websocket.ts';

/** The trigger is numbered. */
export interface FanOutJob extends Upgrade, Numbering {
  readonly kind: 'fan-out';
  readonly sockets: number;
  /** What a socket sends to become a listener; the answer to it is not counted. */
  readonly subscribe?: string;
  readonly trigger: Upgrade & { readonly text: string; readonly expect: string };
  /** Triggers on their way. */
  readonly callers: number;
  readonly seconds: number;
}

/** Deliveries to all sockets per second, with the latency of the triggers. */
export async function fanOut(job: FanOutJob): Promise<Measured> {
  let delivered = 0;
  const sockets: Frames[] = [];
  for (let i = 0; i < job.sockets; i += 1) {
    const socket = await Frames.open(job, () => void (delivered += 1));
    if (job.subscribe !== undefined) socket.send(job.subscribe);
    sockets.push(socket);
  }
  while (job.subscribe !== undefined && delivered < job.sockets) await after(10);
  const callers = await Promise.all(Array.from({ length: job.callers }, () => Caller.open(job.trigger)));
  let n = job.first;
  delivered = 0;
  const began = performance.now();
  const measured = await measure(
    job.seconds,
    callers.map((caller) => () => caller.call(numbered(job.trigger.text, n++, job))),
  );
  const perSecond = (delivered / (performance.now() - began)) * 1_000;
  for (const each of [...sockets, ...callers]) each.close();
  return { ...measured, perSecond, work: delivered };
}
