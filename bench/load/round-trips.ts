import { measure, type Measured } from './measure.ts';
import { numbered, type Numbering } from './numbered.ts';
import { Frames, type Upgrade } from './websocket.ts';

/** The text is numbered. */
export interface FramesJob extends Upgrade, Numbering {
  readonly kind: 'frames';
  readonly text: string;
  /** The answer has to contain this. */
  readonly expect: string;
  readonly connections: number;
  readonly seconds: number;
}

/** One frame per socket on its way. */
export async function measureFrames(job: FramesJob): Promise<Measured> {
  let n = job.first;
  const callers = await Promise.all(Array.from({ length: job.connections }, () => Caller.open(job)));
  const measured = await measure(
    job.seconds,
    callers.map((caller) => () => caller.call(numbered(job.text, n++, job))),
  );
  for (const caller of callers) caller.close();
  return measured;
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
