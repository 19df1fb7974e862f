import Database from 'better-sqlite3';
import { better, defineQueue, defineWorker } from 'plainjob';
import { countdown, type Engine } from './engine.ts';

const TYPE = 'bench';
const quiet = { error: console.error, warn: console.error, info: () => undefined, debug: () => undefined };

/** plainjob as it comes, but with an fsync for each commit as ours. It knows no batches. */
export async function openPlainjob(file: string): Promise<Engine> {
  const db = new Database(file);
  const queue = defineQueue({ connection: better(db), logger: quiet });
  db.pragma('synchronous = FULL');
  let onBegun: () => void = () => undefined;
  let onDone: () => void = () => undefined;
  const worker = defineWorker(TYPE, () => onBegun(), { queue, logger: quiet, onCompleted: () => onDone() });
  let running: Promise<void> | undefined;
  return {
    fill: async (jobs) =>
      void queue.addMany(
        TYPE,
        Array.from({ length: jobs }, (_, n) => ({ n })),
      ),
    drain: async (jobs) => {
      const { one, over } = countdown(jobs);
      onDone = one;
      const working = worker.start();
      await over;
      await worker.stop();
      await working;
    },
    idle: async (began) => {
      onBegun = began;
      running = worker.start();
    },
    put: async () => void queue.add(TYPE, {}),
    close: async () => {
      if (running) await worker.stop();
      queue.close();
    },
  };
}
