import pino from 'pino';
import { test } from 'vitest';
import { createDatabase } from '../../support/postgres.ts';
import { openDatabase } from '../../../src/store/open.ts';
import { queueJob } from '../../../src/core/jobs/queueing.ts';
import { jobs } from '../../../src/domain/job.ts';
import { systemClock } from '../../../src/domain/clock.ts';
import { JobWorker } from '../../../src/worker/jobs.ts';
import { newJob } from '../../contract/jobs.ts';
import { jobCatalog } from '../../contract/job-program.ts';
test('pick', async () => {
  const d = await createDatabase();
  for (const same of [true, false]) {
    const a = await openDatabase({ kind: 'postgres', url: d.url });
    const b = same ? a : await openDatabase({ kind: 'postgres', url: d.url });
    let got: (() => void) | undefined;
    const worker = new JobWorker({ store: b, catalog: jobCatalog(), clock: systemClock, log: pino({ level: 'silent' }), owner: 'w' + same, execute: async () => { got?.(); return { kind: 'done', result: {} }; } });
    worker.start();
    const add = async () => { const t0 = performance.now(); const p = new Promise<number>((r) => { got = () => r(performance.now() - t0); });
      let committed = 0; const c = a.transaction('main', async (tx) => { const row = newJob(tx); const ev = { event: 'job.queued', actor: 'x', target: row.ref, correlationId: 'c', cause: null, details: {} }; await queueJob(tx, await tx.insert(jobs, row), {}); await tx.append(ev); }).then(() => committed = performance.now() - t0);
      await c; return [await p, committed]; };
    const xs: number[][] = [];
    for (let i = 0; i < 200; i++) { xs.push(await add()); await new Promise((r) => setTimeout(r, 5)); }
    const from = xs.slice(50).map(([p, c]) => p! - c!).sort((x, y) => x - y); const tot = xs.slice(50).map(([p]) => p!).sort((x, y) => x - y);
    console.log('same', same, 'from commit p50', from[75]!.toFixed(2), 'p95', from[142]!.toFixed(2), 'from ask p50', tot[75]!.toFixed(2), 'p95', tot[142]!.toFixed(2));
    await worker.stop(AbortSignal.abort()); await a.close(); if (!same) await b.close();
  }
  await d.drop();
}, 60000);
