import { Logger, run, runMigrations, type Runner } from 'graphile-worker';
import pg from 'pg';
import { analyze, countdown, type Engine } from './engine.ts';

const TASK = 'bench';
const logger = new Logger(() => (level, message) => {
  if (level === 'error' || level === 'warning') console.error(message);
});

const FILL = `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
  SELECT ROW($1, '{}'::json, NULL, now(), 1, NULL, 0, NULL)::graphile_worker.job_spec FROM generate_series(1, $2)))`;

/** graphile-worker; with several at once also fetched and completed several at once, as its documentation advises. */
export async function openGraphile(url: string): Promise<Engine> {
  const pool = new pg.Pool({ connectionString: url });
  await runMigrations({ connectionString: url, logger });
  const start = (atOnce: number, task: () => void): Promise<Runner> =>
    run({
      connectionString: url,
      maxPoolSize: atOnce + 2,
      logger,
      noHandleSignals: true,
      taskList: { [TASK]: async () => task() },
      preset: {
        worker: {
          concurrentJobs: atOnce,
          ...(atOnce > 1 && { localQueue: { size: atOnce * 2 }, completeJobBatchDelay: 0 }),
        },
      },
    });
  let idle: Runner | undefined;
  return {
    fill: async (jobs) => {
      await pool.query(FILL, [TASK, jobs]);
      await analyze(url);
    },
    drain: async (jobs, atOnce) => {
      const { one, over } = countdown(jobs);
      const runner = await start(atOnce, () => undefined);
      runner.events.on('job:complete', one);
      await over;
      await runner.stop();
    },
    idle: async (began) => void (idle = await start(1, began)),
    put: async () => void (await pool.query(`SELECT graphile_worker.add_job($1)`, [TASK])),
    close: async () => {
      await idle?.stop();
      await pool.end();
    },
  };
}
