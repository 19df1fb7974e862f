import { afterEach, describe, expect, test } from 'vitest';
import { HOUR, MINUTE, SECOND } from '../../../src/domain/clock.ts';
import { jobs } from '../../../src/domain/job.ts';
import { roles } from '../../../src/domain/principal.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { Step, StepWait } from '../../../src/domain/runbook.ts';
import { approval as request, events, job, onSlack, outgoing } from '../../core/support.ts';
import { soon } from '../support.ts';
import { broken, calls, done, release, step, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());
const run = (text = 'job run release --service api') => w.h.run('ben', text);
const waits = (wait: StepWait, name = 'hold'): Step => ({ name, wait });
const approvers = { quorum: 1, roles: ['approver'], persons: [], timeout: HOUR };
const outside = async (details: JsonObject) => {
  const answer = await w.h.run('ana', {
    command: 'event.add',
    args: { event: 'deployed', target: 'api', details },
  });
  expect(answer.status).toBe('ok');
};
const pass = (milliseconds: number) => w.h.clock.pass(milliseconds);

describe('a step that waits for a time', () => {
  test('holds no worker, and the job goes on when it has come', async () => {
    w = await world(release([step('build'), waits({ kind: 'time', duration: 10 * MINUTE }), step('deploy')]));
    w.worker();
    const waiter = w.waits();
    await run();
    const waiting = await w.state('waiting');
    const until = new Date(w.h.clock.now().getTime() + 10 * MINUTE);
    expect(waiting).toMatchObject({
      leaseOwner: null,
      leaseUntil: null,
      waitFor: { kind: 'time' },
      waitUntil: until,
      attempt: 0,
    });
    pass(10 * MINUTE - 1);
    await waiter.look();
    expect((await job(w.h)).state).toBe('waiting');
    pass(1);
    await waiter.look();
    expect(await w.state('succeeded')).toMatchObject({ attempt: 1, waitFor: null, waitUntil: null });
    expect(w.ran()).toEqual(['build', 'deploy']);
  });
});

describe('a step that waits for an event', () => {
  const wait = { kind: 'event', event: 'event.*', when: undefined, timeout: HOUR } as const;

  test('goes on with the first that fits, and hands it on', async () => {
    const when = 'event.details.service == args.service && event.details.build == steps.build.id';
    w = await world(
      release([
        step('build'),
        waits({ ...wait, when }),
        {
          name: 'deploy',
          ...calls('deploy', { by: '${steps.hold.actor}', id: '${steps.hold.details.build}' }),
          compensate: undefined,
        },
      ]),
    );
    w.answer('build', done({ id: 7 }));
    w.worker();
    w.waits();
    await outside({ service: 'api', build: 7 });
    await run();
    await w.state('waiting');
    await outside({ service: 'web', build: 7 });
    await outside({ other: true });
    await outside({ service: 'api', build: 7 });
    await w.state('succeeded');
    expect(w.calls.at(-1)).toMatchObject({ runbook: 'deploy', args: { by: 'ana', id: 7 } });
    // Whoever may read jobs need not be allowed to read that event.
    const told = JSON.stringify((await events(w.h, /^job\./)).filter((e) => e.details['step'] === 'hold'));
    expect(told).toContain('"seq"');
    expect(told).not.toContain('"build":7');
    const shown = await w.h.run('vic', 'job show JOB-1');
    expect(shown.reply.data).toMatchObject({
      steps: [{ step: 'build', output: { id: 7 } }, { step: 'hold', state: 'done', output: null }, {}],
    });
    expect(shown.reply.text).toContain('  2. hold: done');
  });

  test('does not count what happened before it began', async () => {
    w = await world(release([waits(wait)]));
    w.worker();
    const waiter = w.waits();
    await outside({});
    await run();
    await w.state('waiting');
    await waiter.look();
    expect((await job(w.h)).state).toBe('waiting');
    expect(await job(w.h)).toMatchObject({ waitFor: { kind: 'event', event: 'event.*' } });
  });

  test('catches up with what was written while nobody looked, also many pages of it', async () => {
    w = await world(release([waits({ ...wait, when: 'event.details.last == true' }), step('build')]));
    w.worker();
    await run();
    const { waitFor } = await w.state('waiting');
    for (let n = 0; n < 150; n += 1) await outside({ last: false });
    await w.waits().stop();
    await soon(async () => expect((await job(w.h)).waitFor).not.toEqual(waitFor));
    for (let n = 0; n < 150; n += 1) await outside({ last: n === 149 });
    w.waits();
    await w.state('succeeded');
  });

  test('is woken once, however many processes look', async () => {
    w = await world(release([waits(wait), step('build')]));
    w.worker();
    for (let n = 0; n < 3; n += 1) w.waits();
    await run();
    await w.state('waiting');
    await Promise.all([outside({}), outside({}), outside({})]);
    await w.state('succeeded');
    expect(w.ran()).toEqual(['build']);
    expect(await events(w.h, /^job\.step_done/)).toHaveLength(2);
  });

  test('does not wait for what whoever asked may not read', async () => {
    w = await world(release([waits({ ...wait, event: 'person.*' })]));
    w.worker();
    const waiter = w.waits();
    await run();
    await w.state('waiting');
    await w.h.run('ana', 'person add eve');
    await waiter.look();
    expect((await job(w.h)).state).toBe('waiting');
  });

  test('fails at its deadline, and what was done is undone; what comes later does not count', async () => {
    w = await world(release([step('build'), waits(wait)]));
    w.worker();
    await run();
    await w.state('waiting');
    pass(HOUR + 1);
    await outside({});
    w.waits();
    expect((await w.state('failed')).error).toBe('hold: no event.* came in time');
    expect(w.ran()).toEqual(['build', 'unbuild']);
  });

  test('that is cancelled has what was done undone', async () => {
    w = await world(release([step('build'), waits(wait)]));
    w.worker();
    await run();
    await w.state('waiting');
    expect((await w.h.run('ben', 'job cancel JOB-1')).reply.text).toBe('JOB-1 is being undone.');
    await w.state('cancelled');
    expect(w.ran()).toEqual(['build', 'unbuild']);
  });

  test('twice in one job waits twice', async () => {
    w = await world(release([waits(wait, 'one'), waits(wait, 'two'), step('build')]));
    w.worker();
    w.waits();
    await run();
    await w.state('waiting');
    await outside({});
    await soon(async () => expect((await w.rows()).map((row) => row.state)).toEqual(['done', 'waiting']));
    await outside({});
    await w.state('succeeded');
  });
});

describe('a step that waits for an approval', () => {
  const saga = () =>
    release([step('build'), waits({ kind: 'approval', approval: approvers }, 'confirm'), step('deploy')]);

  test('asks with all that is known, and goes on when it is given', async () => {
    w = await world(saga());
    w.answer('build', done({ image: 'api:7' }));
    w.worker();
    await w.h.run('', 'job run release --service api', onSlack('ben'));
    const waiting = await w.state('waiting');
    expect(waiting.waitFor).toEqual({ kind: 'approval', approval: 'APR-1' });
    const asked = await request(w.h);
    expect(asked).toMatchObject({
      target: 'JOB-1',
      risk: 'destructive',
      requester: 'ben',
      chain: ['ben'],
      command: 'job.continue',
      args: {
        id: 'JOB-1',
        step: 'confirm',
        runbook: 'release',
        args: { service: 'api' },
        outputs: { build: { image: 'api:7' } },
        digest: waiting.digest,
      },
    });
    expect(waiting.waitUntil).toEqual(asked.expiresAt);
    const card = (await outgoing(w.h))['approval:APR-1:slack:T1/UCHO'];
    expect(card).toContain('job continue JOB-1 confirm');
    expect(card).toContain('api:7');
    const voted = await w.h.run('cho', 'approve APR-1');
    expect(voted.reply.text).toBe('You approved APR-1. JOB-1 goes on.');
    await w.state('succeeded');
    expect(w.ran()).toEqual(['build', 'deploy']);
  });

  test('cannot be let go on by anybody without it, nor by whoever asked for the job', async () => {
    w = await world(saga());
    w.worker();
    await run();
    const { digest } = await w.state('waiting');
    for (const who of ['ben', 'ana', 'cho']) {
      const forced = await w.h.run(who, {
        command: 'job.continue',
        args: { id: 'JOB-1', step: 'confirm', digest },
      });
      expect(forced.error?.code).toBe('conflict');
      expect(forced.reply.text).toContain('JOB-1 goes on once APR-1 is approved');
    }
    expect((await w.h.run('ben', 'approve APR-1')).error?.code).toBe('forbidden');
    expect((await w.h.run('vic', 'job continue JOB-1 confirm')).error?.code).toBe('forbidden');
    expect((await w.h.run('ana', 'job continue JOB-9 confirm')).error?.code).toBe('not_found');
    expect((await job(w.h)).state).toBe('waiting');
  });

  test('nobody in the chain of causes may vote', async () => {
    w = await world(saga());
    w.worker();
    const author = { channel: 'slack', subject: 'T1/UCHO' };
    await w.h.run('bot', 'job run release', { author });
    await w.state('waiting');
    expect((await request(w.h)).chain).toEqual(expect.arrayContaining(['bot', 'cho']));
    expect((await w.h.run('cho', 'approve APR-1')).error?.code).toBe('forbidden');
  });

  test('nor may whoever had the job tried again', async () => {
    w = await world(saga());
    w.answer('build', broken);
    w.worker();
    await run();
    await w.state('failed');
    expect((await w.h.run('cho', 'job retry JOB-1')).status).toBe('ok');
    await w.state('waiting');
    expect((await request(w.h)).chain).toEqual(['ben', 'cho']);
    expect((await w.h.run('cho', 'approve APR-1')).error?.code).toBe('forbidden');
  });

  test('that is denied, runs out or is taken back fails, and what was done is undone', async () => {
    w = await world(saga());
    w.worker();
    const sweeper = w.sweeper();
    for (const ref of ['JOB-1', 'JOB-2', 'JOB-3']) {
      await run();
      await w.state('waiting', ref);
    }
    await w.h.run('cho', 'deny APR-1 --reason "not today"');
    expect((await w.state('failed', 'JOB-1')).error).toBe('confirm: APR-1 denied: not today');
    await w.h.run('ben', 'approval cancel APR-2');
    expect((await w.state('failed', 'JOB-2')).error).toContain('confirm: APR-2 cancelled');
    pass(HOUR);
    await sweeper.sweep();
    expect((await w.state('failed', 'JOB-3')).error).toContain('confirm: APR-3 expired');
    expect(w.ran().filter((name) => name === 'unbuild')).toHaveLength(3);
    expect(w.ran()).not.toContain('deploy');
  });

  test('of a job that is cancelled is withdrawn', async () => {
    w = await world(saga());
    w.worker();
    await run();
    await w.state('waiting');
    await w.h.run('ben', 'job cancel JOB-1');
    await w.state('cancelled');
    expect((await request(w.h)).state).toBe('cancelled');
    expect((await w.h.run('cho', 'approve APR-1')).error?.code).toBe('conflict');
    expect(w.ran()).toEqual(['build', 'unbuild']);
  });

  test('is void when whoever asked may no longer run it', async () => {
    w = await world(saga());
    w.worker();
    await run();
    await w.state('waiting');
    await w.h.store.transaction('main', async (tx) => {
      const role = await tx.get(roles, { name: 'operator' });
      if (role) await tx.update(roles, role, { permissions: [...role.permissions, '!runbook:build'] });
    });
    await w.h.run('cho', 'approve APR-1');
    expect((await w.state('failed')).error).toContain('runbook:build');
    expect(w.ran()).toEqual(['build', 'unbuild']);
  });

  test('whose request is gone is given up at its deadline', async () => {
    w = await world(saga());
    w.worker();
    await run();
    const waiting = await w.state('waiting');
    await w.h.store.transaction('main', async (tx) => {
      const row = await tx.get(jobs, { id: waiting.id });
      if (row) await tx.update(jobs, row, { waitFor: { kind: 'approval', approval: 'APR-9' } });
    });
    pass(HOUR + SECOND);
    w.waits();
    expect((await w.state('failed')).error).toBe('confirm: APR-9 is gone');
  });
});

test('job show tells what a job waits for', async () => {
  w = await world(release([waits({ kind: 'event', event: 'job.failed', when: undefined, timeout: HOUR })]));
  w.worker();
  await run();
  await w.state('waiting');
  const shown = await w.h.run('vic', 'job show JOB-1');
  expect(shown.reply.text).toContain('job.failed');
  expect(shown.reply.data).toMatchObject({ waitsFor: { kind: 'event', event: 'job.failed' } });
});
