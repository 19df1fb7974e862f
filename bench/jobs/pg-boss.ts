import { PgBoss } from 'pg-boss';
import { analyze, type Engine } from './engine.ts';

const QUEUE = 'bench';

/** Bare pg-boss, fetched and completed by hand as our engine does, woken by its NOTIFY. */
export async function openPgBoss(url: string): Promise<Engine> {
  const boss = new PgBoss({ connectionString: url, useListenNotify: true });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE, { notify: true });
  return {
    fill: async (jobs) => {
      for (let left = jobs; left > 0; left -= 5_000)
        await boss.insert(
          QUEUE,
          Array.from({ length: Math.min(left, 5_000) }, () => ({ data: { job: 'x' } })),
        );
      await analyze(url);
    },
    drain: async (jobs, atOnce) => {
      for (let done = 0; done < jobs; ) {
        const taken = await boss.fetch(QUEUE, { batchSize: atOnce });
        await boss.complete(
          QUEUE,
          taken.map(({ id }) => id),
        );
        done += taken.length;
      }
    },
    idle: async (began) => {
      await boss.work(QUEUE, async () => began());
    },
    put: async () => void (await boss.send(QUEUE, { job: 'x' })),
    close: () => boss.stop({ graceful: false }),
  };
}
