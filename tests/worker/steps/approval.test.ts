import { afterEach, describe, expect, test } from 'vitest';
import { HOUR, SECOND } from '../../../src/domain/clock.ts';
import { jobs } from '../../../src/domain/job.ts';
import { roles } from '../../../src/domain/principal.ts';
import type { Step, StepWait } from '../../../src/domain/runbook.ts';
import { approval as request, identity, job, onSlack, outgoing } from '../../core/support.ts';
import { soon } from '../support.ts';
import { broken, done, release, step, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());
const run = (text = 'job run release --service api') => w.h.run('ben', text);
const waits = (wait: StepWait, name: string): Step => ({ name, wait });
const approvers = { quorum: 1, roles: ['approver'], persons: [], timeout: HOUR };
const pass = (milliseconds: number) => w.h.clock.pass(milliseconds);

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

  test('shows of an event only where it stands: who may see the request need not be allowed to read it', async () => {
    const told: Step = {
      name: 'told',
      wait: { kind: 'event', event: 'event.*', when: undefined, timeout: HOUR },
    };
    w = await world(
      release([told, waits({ kind: 'approval', approval: approvers }, 'confirm'), step('deploy')]),
    );
    w.answer('deploy', done());
    w.worker();
    w.waits();
    await run();
    await w.state('waiting');
    const plan = {
      event: 'deployed',
      target: 'api',
      details: { plan: 'only for those who may read events' },
    };
    await w.h.run('ana', { command: 'event.add', args: plan });
    await soon(async () => expect((await job(w.h)).waitFor?.kind).toBe('approval'));
    expect((await request(w.h)).args['outputs']).toEqual({ told: { seq: expect.any(Number) as number } });
    for (const text of ['approval show APR-1', 'job show JOB-1', 'job logs JOB-1']) {
      const answer = await w.h.run('vic', text);
      expect(answer.status).toBe('ok');
      expect(JSON.stringify(answer)).not.toContain('only for those');
    }
    await w.h.run('cho', 'approve APR-1');
    await w.state('succeeded');
  });

  test('asks with no more than the key that asked for the job was narrowed to', async () => {
    w = await world(saga());
    w.worker();
    const scopes = ['job:*', 'runbook:*'];
    await w.h.run('', 'job run release', { channel: 'rest', from: identity('principal', 'ben', { scopes }) });
    await w.state('waiting');
    expect((await request(w.h)).scopes).toEqual(scopes);
  });

  test('is void when the job is no longer what was asked for', async () => {
    w = await world(saga());
    w.worker();
    await run();
    const waiting = await w.state('waiting');
    await w.h.store.transaction('main', (tx) => tx.update(jobs, waiting, { digest: 'another' }));
    await w.h.run('cho', 'approve APR-1');
    expect((await w.state('failed')).error).toContain('JOB-1 is not what was approved');
    expect(w.ran()).toEqual(['build', 'unbuild']);
  });
});
