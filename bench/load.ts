import { answerQuestions } from './child.ts';
import { fanOut, type FanOutJob } from './load/fan-out.ts';
import { measureHttp, type HttpJob } from './load/requests.ts';
import { measureFrames, type FramesJob } from './load/round-trips.ts';
import type { Measured } from './load/measure.ts';

/** The load generator, in a process of its own. */
export type LoadJob = HttpJob | FramesJob | FanOutJob;

answerQuestions(async (job: LoadJob): Promise<Measured> => {
  switch (job.kind) {
    case 'http':
      return measureHttp(job);
    case 'frames':
      return measureFrames(job);
    case 'fan-out':
      return fanOut(job);
  }
});
