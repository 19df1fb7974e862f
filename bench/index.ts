import { readOptions, USAGE, type Options, type Part } from './options.ts';
import { fanOut, rest, webhook, webSocket } from './parts/channels.ts';
import { Bench } from './parts/compare.ts';
import { database } from './parts/database.ts';
import { jobs } from './parts/jobs.ts';
import { postgres } from './parts/postgres.ts';
import { scale } from './parts/scale.ts';
import { start } from './parts/start.ts';
import { tables, type Results } from './report.ts';

const COMPARISONS = { rest, webhook, ws: webSocket, fanout: fanOut } as const;
const isComparison = (part: Part): part is keyof typeof COMPARISONS => part in COMPARISONS;

async function run(options: Options): Promise<Results> {
  const results: Results = {};
  const wanted = (part: Part): boolean => options.parts.includes(part);
  const say = (part: Part) => console.error(`measuring ${part} …`);
  if (wanted('start')) {
    say('start');
    results.start = await start(options.rounds);
  }
  if (wanted('database')) {
    say('database');
    results.database = await database(options.seconds);
  }
  const comparisons = options.parts.filter(isComparison);
  if (comparisons.length > 0) {
    const bench = await Bench.start(options);
    try {
      for (const part of comparisons) {
        say(part);
        results[part] = await COMPARISONS[part](bench);
      }
    } finally {
      await bench.stop();
    }
  }
  if (wanted('scale')) {
    say('scale');
    results.scale = await scale(options);
  }
  if (wanted('jobs')) {
    say('jobs');
    results.jobs = await jobs(options.rounds);
  }
  if (wanted('postgres')) {
    say('postgres');
    results.postgres = await postgres(options);
  }
  return results;
}

try {
  const results = await run(readOptions(process.argv.slice(2)));
  console.log(tables(results));
  console.log(JSON.stringify(results));
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(`${error.message}\n${USAGE}`);
  process.exitCode = 2;
}
