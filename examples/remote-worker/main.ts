import { Client, sleep } from './client.ts';
import { PassingFailure, work } from './worker.ts';

// A worker that counts: an example to begin with. SIGNALBOX_URL and SIGNALBOX_TOKEN say where and as whom it works.
const { env } = process;
const { SIGNALBOX_URL = 'http://127.0.0.1:8080', SIGNALBOX_TOKEN = '', CAPABILITIES = 'counting' } = env;

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

await work(
  new Client(SIGNALBOX_URL, SIGNALBOX_TOKEN),
  CAPABILITIES.split(','),
  async ({ id, args, attempt }, told, signal) => {
    const { to, fail } = args as { to: number; fail?: 'once' | 'always' };
    told.log(`${id}, try ${attempt}: counting to ${to}`);
    if (fail === 'always' || (fail === 'once' && attempt === 1)) throw new PassingFailure('lost count');
    for (let n = 1; n <= to; n += 1) {
      await sleep(50, signal);
      told.progress((100 * n) / to, `${n} of ${to}`);
    }
    return {
      result: { counted: to },
      usage: { numbers: to, cost: 0.001 * to },
      artifacts: [{ name: 'numbers.txt', content: Array.from({ length: to }, (_, n) => n + 1).join('\n') }],
    };
  },
  { signal: stop.signal },
);
