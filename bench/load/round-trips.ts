import { measure, type Measured } from './measure.ts';
import { Frames, type Upgrade } from './websocket.ts';

/** `$n` in the text becomes the number of the frame; `$task` and `$state` that of a task and where it goes next. */
export interface FramesJob extends Upgrade {
  readonly kind: 'frames';
  readonly text: string;
  /** The answer has to contain this. */
  readonly expect: string;
  readonly connections: number;
  readonly seconds: number;
  readonly first: number;
  /** How many tasks there are, `TSK-1` on, all queued at frame 0. */
  readonly tasks?: number;
}

/** One frame per socket on its way. */
export async function measureFrames(job: FramesJob): Promise<Measured> {
  let n = job.first;
  const callers = await Promise.all(Array.from({ length: job.connections }, () => Caller.open(job)));
  const measured = await measure(
    job.seconds,
    callers.map((caller) => () => caller.call(textOf(job, n++))),
  );
  for (const caller of callers) caller.close();
  return measured;
}

/** Every task comes once before any comes again, in no order that a cache would like. */
function textOf({ text, tasks = 1 }: FramesJob, n: number): string {
  const state = Math.floor(n / tasks) % 2 === 0 ? 'claimed' : 'queued';
  return text
    .replaceAll('$n', String(n))
    .replaceAll('$task', String(((n * 7_919) % tasks) + 1))
    .replaceAll('$state', state);
}

/** A socket whose every frame gets one answer. */
export class Caller {
  #frames: Frames | undefined;
  #answered: PromiseWithResolvers<void> | undefined;

  static async open(job: Upgrade & { readonly expect: string }): Promise<Caller> {
    const caller = new Caller();
    caller.#frames = await Frames.open(job, (payload) => {
      if (payload.includes(job.expect)) caller.#answered?.resolve();
      else caller.#answered?.reject(new Error(payload.toString()));
    });
    return caller;
  }

  /** @throws Error with an answer that is not what was expected. */
  call(text: string): Promise<void> {
    this.#answered = Promise.withResolvers();
    this.#frames?.send(text);
    return this.#answered.promise;
  }

  close(): void {
    this.#frames?.close();
  }
}
