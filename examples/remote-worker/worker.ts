import { type Beat, type Client, plain, Refused, type Report, SECOND, sleep, type Work } from './client.ts';

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

/** The shortest time between two heartbeats that carry news, in milliseconds: each counts against `limits.heartbeats`. */
const NEWS_EVERY = 5_000;
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
  const pulse = new Pulse(client, job);
  const end = await handler(job, pulse, pulse.signal).then(
    // What was done is told also where it comes too late: what it used counts.
    (report) => () => complete(client, job, report),
    (error: unknown) => () => fail(client, job, pulse.stop, error),
  );
  await pulse.end();
  try {
    await end();
  } catch (error) {
    if (!isLost(error)) throw error;
  }
}

/** What cannot be told as it is (a result too large, a unit nobody knows) fails the job instead of leaving it claimed. */
async function complete(client: Client, job: Work, report: Report): Promise<void> {
  try {
    await client.complete(job, report);
  } catch (error) {
    if (!(error instanceof Refused) || isLost(error)) throw error;
    await client.fail(job, `its end was refused: ${error.message}`);
  }
}

/** Whoever stopped for a cancel says so; where the claim is lost or its time over, there is nothing to say. */
async function fail(client: Client, job: Work, stop: string | undefined, error: unknown): Promise<void> {
  if (stop === 'cancelled') await client.fail(job, 'stopped as asked');
  else if (stop === undefined)
    await client.fail(job, said(error), error instanceof PassingFailure ? 'server' : 'refused');
}

/** Somebody else has the job now, or it is over. */
const isLost = (error: unknown): boolean =>
  error instanceof Refused && (error.code === 'conflict' || error.code === 'not_found');

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The heartbeats of one job: one waits for the word to stop, others carry what there is to tell. */
class Pulse implements Told {
  readonly #client: Client;
  readonly #job: Work;
  readonly #stop = new AbortController();
  readonly #over = new AbortController();
  readonly #beating: Promise<unknown>;
  #lease: NodeJS.Timeout | undefined;
  #lines: { stream: 'out' | 'err' | 'info'; line: string }[] = [];
  #progress: Beat['progress'];

  constructor(client: Client, job: Work) {
    this.#client = client;
    this.#job = job;
    this.#hold(performance.now());
    this.#beating = Promise.all([this.#listen(), this.#tell()]);
  }

  /** Aborted when the work has to stop. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Why the work has to stop: `cancelled`, `timeout`, a bound, `lost`. */
  get stop(): string | undefined {
    return this.signal.aborted ? (this.signal.reason as Error).message : undefined;
  }

  log(text: string, stream: 'out' | 'err' | 'info' = 'out'): void {
    for (const line of text.split('\n'))
      if (this.#lines.length < MOST_WAITING) this.#lines.push({ stream, line: plain(line, LONGEST_LINE) });
  }

  progress(percent: number, text?: string): void {
    this.#progress = {
      ...(Number.isFinite(percent) && { percent: Math.min(100, Math.max(0, percent)) }),
      ...(text !== undefined && { text: plain(text, 500) }),
    };
  }

  /** Sends what is left to tell. */
  async end(): Promise<void> {
    this.#over.abort();
    await this.#beating;
    while (this.#hasNews && this.stop === undefined) await this.#beat();
    clearTimeout(this.#lease);
  }

  get #goesOn(): boolean {
    return !this.#over.signal.aborted && this.stop === undefined;
  }

  get #hasNews(): boolean {
    return this.#lines.length > 0 || this.#progress !== undefined;
  }

  async #listen(): Promise<void> {
    const wait = this.#job.heartbeatEvery;
    while (this.#goesOn) await this.#send({ wait }, this.#over.signal);
  }

  async #tell(): Promise<void> {
    while (this.#goesOn) {
      await sleep(NEWS_EVERY, this.#over.signal).catch(() => undefined);
      if (this.#goesOn && this.#hasNews) await this.#beat();
    }
  }

  async #beat(): Promise<void> {
    const lines = this.#lines.splice(0, MOST_LINES);
    const progress = this.#progress;
    this.#progress = undefined;
    await this.#send({ lines, ...(progress && { progress }) });
  }

  async #send(beat: Beat & { readonly wait?: number }, over?: AbortSignal): Promise<void> {
    const sent = performance.now();
    const signals = over ? [over, this.signal] : [this.signal];
    try {
      const { stop } = await this.#client.heartbeat(this.#job, beat, AbortSignal.any(signals));
      if (stop === null) this.#hold(sent);
      else this.#halt(stop);
    } catch (error) {
      if (signals.some(({ aborted }) => aborted)) return;
      if (isLost(error)) return this.#halt('lost');
      // It may still be ours: what this heartbeat told is left out, and the next one is sent in time, not at once.
      // oxlint-disable-next-line no-console -- an example has no log but this one
      console.error(`${this.#job.id}: a heartbeat was refused: ${said(error)}`);
      await sleep(this.#job.heartbeatEvery * SECOND, AbortSignal.any(signals)).catch(() => undefined);
    }
  }

  /** The claim holds for three heartbeats from this one; who cannot tell any more whether it is theirs has to stop. */
  #hold(from: number): void {
    clearTimeout(this.#lease);
    const left = from + 3 * this.#job.heartbeatEvery * SECOND - performance.now();
    this.#lease = setTimeout(() => this.#halt('lost'), left);
  }

  #halt(why: string): void {
    this.#stop.abort(new Error(why));
  }
}
