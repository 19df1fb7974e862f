import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../../src/core/message.ts';
import { jobs } from '../../../src/domain/job.ts';
import type { Runbook } from '../../../src/domain/runbook.ts';
import { DATABASES } from '../../support/databases.ts';
import type { Harness } from '../../support/harness.ts';
import { bounds, testRunbook, tries } from '../../support/runbook.ts';
import { endTry } from '../../support/tries.ts';
import { job, onSlack, outgoing, rows } from '../support.ts';

let h: Harness;
const run = (text: string, who = 'ben'): Promise<Answer> => h.run(who, text);
const code = (answer: Answer) => answer.error?.code;
const set = (runbook: Runbook) => (h.catalog.runbooks as Map<string, Runbook>).set(runbook.name, runbook);
const restart = (most: number) =>
  set(testRunbook({ name: 'restart', bounds: bounds({ queued: most }), tries: tries({ max: 1 }) }));
const full = (most: number, name: string) =>
  `${most} runs of ${name} are queued, which is its bound (bounds.queued); try again once some have run.`;

describe.each(DATABASES)('on %s a queue that is full', (_name, open) => {
  beforeEach(async () => {
    h = await open();
  });
  afterEach(() => h.close());

  test('refuses a further run when as many wait as the runbook allows', async () => {
    restart(2);
    for (let n = 0; n < 2; n += 1) expect((await run('job run restart')).status).toBe('ok');
    expect(await run('job run restart')).toMatchObject({
      error: { code: 'rate_limited', retryAfter: 10_000 },
      reply: { text: full(2, 'restart') },
    });
    expect((await run('probe run api')).status).toBe('ok');
    await run('job cancel JOB-1');
    expect((await run('job run restart')).status).toBe('ok');
  });

  test('and one when as many wait as the workspace allows', async () => {
    (h.catalog.jobs as { queued: number }).queued = 1;
    await run('probe run api');
    expect((await run('job run restart')).reply.text).toContain(
      '1 jobs are queued, which is the workspace’s bound (jobs.queued)',
    );
    expect(code(await run('probe run api'))).toBe('rate_limited');
    expect(await rows(h, jobs)).toHaveLength(1);
  });

  test('refuses what is tried again or redriven, too', async () => {
    restart(1);
    for (let n = 0; n < 3; n += 1) {
      await run('job run restart');
      await endTry(h, { kind: 'fail', reason: 'broken', failure: 'refused' });
    }
    const redriven = await run('job dead redrive --runbook restart');
    expect(redriven.reply.text).toContain(full(1, 'restart'));
    expect(await rows(h, jobs, { where: { state: 'queued' } })).toHaveLength(1);
    const [left] = await rows(h, jobs, { where: { state: 'failed' } });
    expect(code(await run(`job retry ${left?.ref}`))).toBe('rate_limited');
    expect(await job(h, left?.ref)).toEqual(left);
  });

  test('makes an approval void, and its requester is told why', async () => {
    const deploy = h.catalog.runbooks.get('deploy');
    if (!deploy) throw new Error('no deploy');
    set({ ...deploy, bounds: bounds({ queued: 1 }) });
    for (let n = 0; n < 2; n += 1) await h.run('', 'job run deploy --env staging', onSlack('ana'));
    for (const who of ['ben', 'cho']) await run('approve APR-1', who);
    expect((await job(h)).state).toBe('queued');
    for (const who of ['ben', 'cho']) await run('approve APR-2', who);
    expect(await job(h, 'JOB-2')).toMatchObject({ state: 'cancelled', error: full(1, 'deploy') });
    expect((await outgoing(h))['job:JOB-2:answer:APR-2']).toBe(`APR-2 approved.\n${full(1, 'deploy')}`);
    // Where there is no room already, nobody is asked.
    expect(code(await run('job run deploy --env staging', 'ana'))).toBe('rate_limited');
  });
});
