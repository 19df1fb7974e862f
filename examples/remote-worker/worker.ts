import {
  type Beat,
  type Client,
  plain,
  Refused,
  type Report,
  sleep,
  type Standing,
  type Work,
} from './client.ts';

/** What a job may tell of itself while it runs. */
export interface Told {
  log(line: string, stream?: 'out' | 'err' | 'info'): void;
  progress(percent: number, text?: string): void;
}

/**
 * Does the work. It has to stop when the signal is aborted: the job was cancelled, its time is over, or it is somebody
 * else's by now. What it throws fails the job; a `PassingFailure` is worth another try.
 */
export type Handler = (work: Work, told: Told, signal: AbortSignal) => Promise<Report>;

/** A failure that may pass: the job is tried again, after a while. */
export class PassingFailure extends Error {}

/** The shortest time between two heartbeats that carry news, in milliseconds: each counts against `limits.perSender`. */
const NEWS_EVERY = 1_000;
/** Lines that one heartbeat carries, and characters of each. */
const MOST_LINES = 500;
const LONGEST_LINE = 8_000;
const MOST_WAITING = 10_000;

/** Claims jobs and runs them, `concurrency` at a time, until the signal is aborted and the last has ended. */
export async function work(
  client: Client,
  capabilities: readonly string[],
  handler: Handler,
  { signal, concurrency = 1 }: { signal: AbortSignal; concurrency?: number },
): Promise<void> {
  const one = async (): Promise<void> => {
    while (!signal.aborted) {
      const [found] = await client.claim(capabilities, { signal }).catch((error: unknown) => {
        if (signal.aborted) return [];
        throw error;
      });
      if (found) await run(client, found, handler);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, one));
}

async function run(client: Client, job: Work, handler: Handler): Promise<void> {
  const stop = new AbortController();
  const pulse = new Pulse(client, job, stop);
  const end = await handler(job, pulse, stop.signal).then(
    (report) => () => client.complete(job, report),
    (error: unknown) => () =>
      client.fail(job, said(error), error instanceof PassingFailure ? 'server' : 'refused'),
  );
  await pulse.end();
  try {
    // Whoever stopped for a cancel says so; where the claim is lost, nobody is to be told.
    if (pulse.stop === 'cancelled') await client.fail(job, 'stopped as asked');
    else if (pulse.stop === undefined) await end();
  } catch (error) {
    // The claim was lost on the way: somebody else has the job now.
    if (!(error instanceof Refused) || error.code !== 'conflict') throw error;
  }
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The heartbeats of one job: one waits for the word to stop, others carry what there is to tell. */
class Pulse implements Told {
  readonly #client: Client;
  readonly #job: Work;
  readonly #stop: AbortController;
  readonly #over = new AbortController();
  readonly #beating: Promise<unknown>;
  #lines: { stream: 'out' | 'err' | 'info'; line: string }[] = [];
  #progress: Beat['progress'];
  /** Why the work has to stop: `cancelled`, `timeout`, a bound, `lost`. */
  stop: string | undefined;

  constructor(client: Client, job: Work, stop: AbortController) {
    this.#client = client;
    this.#job = job;
    this.#stop = stop;
    this.#beating = Promise.all([this.#listen(), this.#tell()]);
  }

  log(text: string, stream: 'out' | 'err' | 'info' = 'out'): void {
    for (const line of text.split('\n'))
      if (this.#lines.length < MOST_WAITING) this.#lines.push({ stream, line: plain(line, LONGEST_LINE) });
  }

  progress(percent: number, text?: string): void {
    this.#progress = {
      percent: Math.min(100, Math.max(0, percent)),
      ...(text !== undefined && { text: plain(text, 500) }),
    };
  }

  /** Sends what is left to tell. */
  async end(): Promise<void> {
    this.#over.abort();
    await this.#beating;
    while (this.#lines.length > 0 && this.stop === undefined) await this.#beat();
  }

  get #goesOn(): boolean {
    return !this.#over.signal.aborted && this.stop === undefined;
  }

  async #listen(): Promise<void> {
    const wait = this.#job.heartbeatEvery;
    while (this.#goesOn) await this.#heard(this.#client.heartbeat(this.#job, { wait }, this.#over.signal));
  }

  async #tell(): Promise<void> {
    while (this.#goesOn) {
      await sleep(NEWS_EVERY, this.#over.signal).catch(() => undefined);
      if (this.#goesOn && (this.#lines.length > 0 || this.#progress)) await this.#beat();
    }
  }

  async #beat(): Promise<void> {
    const lines = this.#lines.splice(0, MOST_LINES);
    const progress = this.#progress;
    this.#progress = undefined;
    await this.#heard(this.#client.heartbeat(this.#job, { lines, ...(progress && { progress }) }));
  }

  async #heard(answer: Promise<Standing>): Promise<void> {
    try {
      const { stop } = await answer;
      if (stop !== null) this.#halt(stop);
    } catch (error) {
      if (this.#over.signal.aborted && !(error instanceof Refused)) return;
      // Refused: the claim is lost, or the job is over.
      if (!(error instanceof Refused)) throw error;
      this.#halt('lost');
    }
  }

  #halt(why: string): void {
    this.stop ??= why;
    this.#stop.abort(new Error(why));
  }
}
