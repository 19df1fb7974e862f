import { afterEach, expect, test } from 'vitest';
import { artifacts } from '../../../src/domain/artifact.ts';
import type { Product } from '../../../src/domain/job.ts';
import { usageTotals } from '../../../src/domain/records.ts';
import { createHarness } from '../../support/harness.ts';
import { rows } from '../../core/support.ts';
import { broken, release, step, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());
const run = () => w.h.run('ben', 'job run release --service api');
const note = (name: string): Product => ({ name, kind: 'text', mediaType: 'text/plain', content: name });

test('what steps used is the job’s, and counts for their own runbooks too, also where they failed', async () => {
  w = await world(release([step('build'), step('deploy')]));
  w.answer('build', { kind: 'done', result: {}, usage: { units: { tokens: 5 }, cost: 10 } });
  const used = { units: { tokens: 7 }, cost: 1 };
  w.answer('deploy', { kind: 'fail', failure: 'refused', reason: 'broken', usage: used });
  w.answer('unbuild', { kind: 'done', result: {}, usage: { units: {}, cost: 4 } });
  w.worker();
  await run();
  expect((await w.state('failed')).usage).toEqual({ units: { tokens: 12 }, cost: 15 });
  const all = await rows(w.h, usageTotals, { where: { id: { prefix: 'all:' } } });
  expect(Object.fromEntries(all.map(({ scope, cost, runs }) => [scope, [runs, cost]]))).toEqual({
    workspace: [1, 15],
    'runbook:release': [1, 15],
    'runbook:build': [1, 10],
    'runbook:deploy': [0, 1],
    'runbook:unbuild': [0, 4],
  });
});

test('what a step made is kept with it; where that cannot be, nothing goes on, and what it did is undone', async () => {
  w = await world(release([step('build'), step('deploy')]));
  w.answer('build', { kind: 'done', result: {}, artifacts: [note('a.txt')] });
  w.answer('deploy', { kind: 'done', result: {}, artifacts: [note('b.txt'), note('../c.txt')] });
  w.worker();
  await run();
  expect((await w.state('failed')).error).toContain('deploy: name: expected 1 to 200 characters');
  expect((await rows(w.h, artifacts)).map(({ job, name }) => [job, name])).toEqual([['JOB-1', 'a.txt']]);
  expect(w.ran()).toEqual(['build', 'deploy', 'undeploy', 'unbuild']);
});

test('a budget of a runbook bounds the jobs whose steps name it', async () => {
  const few = { name: 'builds', runbook: 'build', per: 'day', runs: 1, cost: undefined, units: {} } as const;
  w = await world(release([step('build')]), (over) =>
    createHarness({ ...over, budgets: [{ ...few, approval: undefined }] }),
  );
  expect((await run()).status).toBe('ok');
  expect((await run()).reply.text).toContain('The budget builds is spent: 1 of 1 runs this day.');
});

test('receipts tell a step from its undoing', async () => {
  w = await world(release([step('build'), step('deploy')]));
  w.answer('deploy', broken);
  w.worker();
  await run();
  await w.state('failed');
  const { text, data } = (await w.h.run('vic', 'job effects JOB-1')).reply;
  expect(text.split('\n')).toEqual([
    'try 1 · build · http build · 200',
    'try 1 · deploy · http deploy · 200',
    'try 1 · undoing build · http unbuild · 200',
  ]);
  expect(data).toMatchObject({ items: [{ phase: 'forward' }, {}, { step: 'build', phase: 'compensating' }] });
});
