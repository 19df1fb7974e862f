import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer, Inbound } from '../../src/core/message.ts';
import { approvals, votes } from '../../src/domain/approval.ts';
import { HOUR, MINUTE } from '../../src/domain/clock.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { approval, events, identity, job, onSlack, rows } from './support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
  await h.run('ana', 'person add dee --roles operator --roles approver');
});
afterEach(() => h.close());

const run = (who: string, text: string, over: Partial<Inbound> = {}): Promise<Answer> =>
  h.run(who, text, over);
const request = (who = 'ana') => run(who, 'job run deploy --env staging');
const code = (answer: Answer) => answer.error?.code;
const lastReason = async () => (await events(h, /^command\.denied$/)).at(-1)?.details['reason'];
const states = async () => [(await approval(h)).state, (await job(h)).state];

describe('a request', () => {
  test('holds the job before anybody has voted, and says for what it waits', async () => {
    const answer = await request();
    expect(answer).toMatchObject({
      status: 'pending_approval',
      invocation: { command: 'job.run', args: { runbook: 'deploy', args: { env: 'staging' } } },
      reply: { data: { approval: 'APR-1', target: 'JOB-1', digest: (await approval(h)).digest } },
    });
    expect(await job(h)).toMatchObject({ state: 'waiting', approval: 'APR-1', requester: 'ana' });
    expect(await approval(h)).toMatchObject({ requester: 'ana', chain: ['ana'], risk: 'destructive' });
    expect((await approval(h)).expiresAt).toEqual(new Date(h.clock.now().getTime() + HOUR));
  });

  test('whose arguments the runbook does not take leaves nothing behind', async () => {
    expect(code(await run('ana', 'job run deploy --env moon'))).toBe('invalid_argument');
    expect(await rows(h, approvals)).toEqual([]);
    expect(await events(h, /^(approval|job)\./)).toEqual([]);
  });
});

describe('a quorum', () => {
  test('of two distinct persons releases the job, in the transaction of the last vote', async () => {
    await request();
    expect((await run('ben', 'approve APR-1')).reply.text).toContain('it needs 2 in all');
    expect(await states()).toEqual(['pending', 'waiting']);
    expect((await run('cho', 'approve APR-1', onSlack('cho'))).reply.text).toContain('JOB-1 is queued');
    expect(await states()).toEqual(['approved', 'queued']);
    const told = await events(h, /^(approval|job)\./);
    expect(told.map((e) => e.event)).toEqual([
      'job.waiting',
      'approval.requested',
      'approval.voted',
      'approval.voted',
      'approval.approved',
      'job.queued',
    ]);
    expect(told.at(-1)).toMatchObject({ actor: 'ana', target: 'JOB-1', details: { approval: 'APR-1' } });
    const cast = await rows(h, votes, { orderBy: [{ column: 'voter' }] });
    expect(cast).toMatchObject([
      { voter: 'ben', channel: 'terminal', assurance: 'local', digest: (await approval(h)).digest },
      { voter: 'cho', channel: 'slack', assurance: 'slack' },
    ]);
  });

  test('is not met by one person twice, on another channel or with another key', async () => {
    await request();
    await run('ben', 'approve APR-1');
    for (const over of [{}, onSlack('ben'), { from: identity('principal', 'ben', { assurance: 'token' }) }])
      expect(code(await run('ben', 'approve APR-1', over))).toBe('conflict');
    expect(code(await run('ben', 'deny APR-1 --reason "second thoughts"'))).toBe('conflict');
    expect(await states()).toEqual(['pending', 'waiting']);
  });

  test('does not count somebody whose role was taken away since', async () => {
    await request();
    await run('dee', 'approve APR-1');
    await run('ana', 'role revoke approver dee');
    expect((await run('ben', 'approve APR-1')).reply.text).toContain('it needs 2');
    expect(await states()).toEqual(['pending', 'waiting']);
    await run('ana', 'role grant approver dee');
    expect(code(await run('dee', 'approve APR-1'))).toBe('conflict');
    expect((await run('cho', 'approve APR-1')).reply.text).toContain('JOB-1 is queued');
  });

  test('does not count somebody who was removed, or may no longer decide', async () => {
    await request();
    await run('dee', 'approve APR-1');
    await run('ana', 'role add gagged !approval:decide');
    await run('ana', 'role grant gagged dee');
    await run('ben', 'approve APR-1');
    expect(await states()).toEqual(['pending', 'waiting']);
    await run('ana', 'role revoke gagged dee');
    await run('ana', 'person remove dee');
    expect((await run('cho', 'approve APR-1')).reply.text).toContain('JOB-1 is queued');
  });
});

test('a name that was removed and given to another does not carry its old vote', async () => {
  await request();
  await run('dee', 'approve APR-1');
  await run('ana', 'person remove dee');
  h.clock.pass(MINUTE);
  await run('ana', 'person add dee --roles operator --roles approver');
  expect((await run('cho', 'approve APR-1')).reply.text).toContain('it needs 2 in all');
  expect(await states()).toEqual(['pending', 'waiting']);
  expect((await run('ben', 'approve APR-1')).reply.text).toContain('JOB-1 is queued');
});

describe('nobody approves what they asked for', () => {
  test.each<[string, Partial<Inbound>]>([
    ['on the channel they asked on', {}],
    ['as their second identity', onSlack('ben')],
    ['with a token of theirs', { from: identity('principal', 'ben', { assurance: 'token' }) }],
  ])('%s', async (_, over) => {
    await request('ben');
    const answer = await run('ben', 'approve APR-1', over);
    expect(answer).toMatchObject({ error: { code: 'forbidden' } });
    expect(answer.reply.text).toBe(
      'You may not run approval approve: You asked for APR-1 or caused it, so somebody else has to decide.',
    );
    expect(await states()).toEqual(['pending', 'waiting']);
    expect((await events(h, /^command\.denied$/)).at(-1)).toMatchObject({
      actor: 'ben',
      target: 'approval.approve',
      details: { args: { approval: 'APR-1' }, channel: over.channel ?? 'terminal' },
    });
  });

  test('nor can a program approve, its own request or another’s', async () => {
    await request('bot');
    expect(code(await run('bot', 'approve APR-1'))).toBe('forbidden');
    await request('ana');
    expect(code(await run('bot', 'approve APR-2'))).toBe('forbidden');
    expect(await lastReason()).toContain('Only a person');
  });

  test('nor a webhook’s source, which holds no role', async () => {
    await h.close();
    const rule = { name: 'r', when: 'true', command: 'approval.approve', args: {}, as: undefined };
    const source = {
      name: 'ci',
      kind: 'github' as const,
      secrets: [],
      signatureHeader: undefined,
      deliveryHeader: undefined,
      rules: [rule],
    };
    h = await createHarness({ sources: new Map([['ci', source]]) });
    await request();
    const from = identity('source', 'ci', { assurance: 'signature' });
    expect(code(await run('', 'approve APR-1', { channel: 'webhook', from }))).toBe('forbidden');
    expect(await lastReason()).toContain('A webhook proves its source, not a person');
  });
});

describe('whoever caused a request does not approve it', () => {
  test('the one who made the program that asked', async () => {
    await run('ana', 'person add helper --kind agent --roles operator');
    await run('ana', 'role add judge approval:decide');
    await run('ana', 'person add eve --roles judge --roles approver');
    await request('helper');
    expect((await approval(h)).chain).toEqual(['helper', 'ana']);
    const answer = await run('ana', 'approve APR-1');
    expect(answer.reply.text).toContain('You asked for APR-1 or caused it');
    expect((await run('eve', 'approve APR-1')).status).toBe('ok');
  });

  test('nor the person at the end of a line of programs that made one another', async () => {
    await run('ana', 'role add maker person:admin');
    await run('ana', 'person add first --kind agent --roles operator --roles maker');
    await run('first', 'person add second --kind agent --roles operator --roles maker');
    await run('second', 'person add third --kind agent --roles operator');
    await request('third');
    expect((await approval(h)).chain).toEqual(['third', 'second', 'first', 'ana']);
    await run('ana', 'person add eve --roles admin --roles approver');
    expect((await run('ana', 'approve APR-1')).reply.text).toContain('You asked for APR-1 or caused it');
    expect((await run('eve', 'approve APR-1')).status).toBe('ok');
  });

  test('nor whoever made a key of the program that asked, as long as that key holds', async () => {
    await run('ana', 'person add eve --roles admin --roles approver');
    await run('ana', 'person add zoe --roles admin');
    await run('eve', 'key create nightly --for bot');
    const made = await run('zoe', 'key create weekly --for bot');
    await request('bot');
    expect((await approval(h)).chain).toEqual(['bot', 'eve', 'zoe']);
    expect((await run('eve', 'approve APR-1')).reply.text).toContain('You asked for APR-1 or caused it');
    await run('zoe', `key revoke ${(made.reply.data as { id: string }).id}`);
    await request('bot');
    expect((await approval(h, 'APR-2')).chain).toEqual(['bot', 'eve']);
  });

  test('the linked author of the webhook that asked', async () => {
    await run('ana', 'person add eve --roles approver --identity github:583231');
    const author = { channel: 'github', subject: '583231' };
    await run('ana', 'job run deploy --env staging', { author });
    expect((await approval(h)).chain).toEqual(['ana', 'eve']);
    expect(code(await run('eve', 'approve APR-1'))).toBe('forbidden');
    // Somebody unknown is nobody: the claim of a name counts for nothing else.
    await run('ana', 'job run deploy --env staging', { author: { channel: 'github', subject: '1' } });
    expect((await approval(h, 'APR-2')).chain).toEqual(['ana']);
  });

  test('and a webhook that runs as a person does not vote as that person', async () => {
    await request();
    const from = identity('slack', 'T1/UBEN', { assurance: 'signature' });
    expect(code(await run('', 'approve APR-1', { channel: 'webhook', from }))).toBe('forbidden');
  });
});

describe('a decision', () => {
  test('to deny needs a reason, ends it at once and cancels the job', async () => {
    await request();
    await run('cho', 'approve APR-1');
    expect(code(await run('ben', 'deny APR-1'))).toBe('invalid_argument');
    expect(await states()).toEqual(['pending', 'waiting']);
    await run('ben', 'deny APR-1 --reason "not on a Friday."');
    expect(await states()).toEqual(['denied', 'cancelled']);
    expect(await job(h)).toMatchObject({ error: 'APR-1 denied: not on a Friday', endedAt: h.clock.now() });
    expect(code(await run('dee', 'approve APR-1'))).toBe('conflict');
  });

  test('that is made takes no further vote', async () => {
    await request();
    await run('ben', 'approve APR-1');
    await run('cho', 'approve APR-1');
    const answer = await run('dee', 'deny APR-1 --reason late');
    expect(answer).toMatchObject({
      error: { code: 'conflict' },
      reply: { text: 'APR-1 is already approved.' },
    });
    expect(await rows(h, votes)).toHaveLength(2);
  });

  test('binds to the digest that was seen', async () => {
    await request();
    const other = 'e'.repeat(64);
    expect(code(await run('ben', `approve APR-1 --digest ${other}`))).toBe('conflict');
    expect((await run('ben', `approve APR-1 --digest ${(await approval(h)).digest}`)).status).toBe('ok');
  });

  test('comes too late once the time is over, also before anybody swept', async () => {
    await request();
    h.clock.pass(HOUR);
    expect(code(await run('ben', 'approve APR-1'))).toBe('conflict');
    expect(await states()).toEqual(['pending', 'waiting']);
  });

  test('by somebody without the permission is refused and recorded', async () => {
    await request();
    expect(code(await run('vic', 'approve APR-1'))).toBe('forbidden');
    expect(await lastReason()).toBe('it needs the permission approval:decide');
    await run('ana', 'role add judge approval:decide');
    await run('ana', 'person add eve --roles judge');
    expect(code(await run('eve', 'approve APR-1'))).toBe('forbidden');
    expect(await lastReason()).toBe('You are not an approver of APR-1.');
  });

  test('on what is not there is refused', async () => {
    expect(code(await run('ben', 'approve APR-9'))).toBe('not_found');
  });
});

describe('what was approved is what runs, or nothing', () => {
  const approveTwice = async () => {
    await run('cho', 'approve APR-1');
    return run('dee', 'approve APR-1');
  };

  test('a runbook that was changed in between voids the request and drops the job', async () => {
    await request();
    const runbooks = h.catalog.runbooks as Map<string, Runbook>;
    const deploy = runbooks.get('deploy') as Runbook;
    runbooks.set('deploy', { ...deploy, executor: { kind: 'shell', argv: ['rm', '-r', 'x'], env: {} } });
    expect((await approveTwice()).reply.text).toContain('was changed since JOB-1 was asked for');
    expect((await job(h)).state).toBe('cancelled');
    expect((await job(h)).error).toContain('was changed');
    expect((await events(h, /^approval\.voided$/))[0]).toMatchObject({ target: 'APR-1' });
  });

  test('a runbook that is gone drops the job', async () => {
    await request();
    (h.catalog.runbooks as Map<string, Runbook>).delete('deploy');
    await approveTwice();
    expect((await job(h)).state).toBe('cancelled');
  });

  test('a requester whose name is somebody else’s by now gets nothing run', async () => {
    await run('ana', 'person add dan --roles operator');
    await run('dan', 'job run deploy --env staging');
    await run('ben', 'approve APR-1');
    h.clock.pass(1_000);
    await run('ana', 'person remove dan');
    await run('ana', 'person add dan --roles operator');
    expect((await run('cho', 'approve APR-1')).reply.text).toContain('dan is somebody else by now');
    expect(await job(h)).toMatchObject({ state: 'cancelled' });
  });

  test('a requester who may no longer, or is gone, gets nothing run', async () => {
    await run('ana', 'person add eve --roles operator');
    await request('eve');
    await run('ana', 'role revoke operator eve');
    await approveTwice();
    expect((await job(h)).state).toBe('cancelled');
    expect((await events(h, /^command\.denied$/)).at(-1)).toMatchObject({ actor: 'eve', target: 'job.run' });
    await run('ana', 'role grant operator eve');
    await request('eve');
    await run('ana', 'person remove eve');
    await run('cho', 'approve APR-2');
    expect((await run('dee', 'approve APR-2')).reply.text).toContain('no longer known');
    expect((await job(h, 'JOB-2')).state).toBe('cancelled');
    expect((await approval(h, 'APR-2')).state).toBe('approved');
    expect((await events(h, /^approval\.voided$/)).map((e) => e.target)).toEqual(['APR-1', 'APR-2']);
  });

  test('a request that was tampered with in the database voids', async () => {
    await request();
    const row = await approval(h);
    const args = { runbook: 'deploy', args: { env: 'production' } };
    await h.store.transaction('main', (tx) => tx.update(approvals, row, { args }));
    expect((await approveTwice()).reply.text).toContain('not what was asked for');
    expect((await job(h)).state).toBe('cancelled');
  });

  test('a narrowed key asks for no more than it may: its scopes hold when the job is released', async () => {
    const from = identity('principal', 'ana', { scopes: ['job:run', 'runbook:deploy'] });
    await run('ana', 'job run deploy --env staging', { from });
    expect((await approval(h)).scopes).toEqual(['job:run', 'runbook:deploy']);
    await approveTwice();
    expect((await job(h)).state).toBe('queued');
  });
});

describe('taking it back', () => {
  test('is the requester’s own, and cancels the job', async () => {
    await request('ben');
    expect(code(await run('cho', 'approval cancel APR-1'))).toBe('forbidden');
    expect((await run('ben', 'approval cancel APR-1')).status).toBe('ok');
    expect(await states()).toEqual(['cancelled', 'cancelled']);
    expect(code(await run('ben', 'approval cancel APR-1'))).toBe('conflict');
    expect(code(await run('ben', 'approval cancel APR-7'))).toBe('not_found');
    expect(code(await run('cho', 'approve APR-1'))).toBe('conflict');
  });

  test('cancelling the waiting job cancels the request', async () => {
    await request();
    await run('ben', 'approve APR-1');
    await run('ana', 'job cancel JOB-1');
    expect(await states()).toEqual(['cancelled', 'cancelled']);
    expect(code(await run('cho', 'approve APR-1'))).toBe('conflict');
  });
});

describe('at the same time', () => {
  test('two last votes: one releases, the other comes too late', async () => {
    await request();
    await run('ben', 'approve APR-1');
    const [first, second] = await Promise.all([run('cho', 'approve APR-1'), run('dee', 'approve APR-1')]);
    expect(first.status).toBe('ok');
    expect(code(second)).toBe('conflict');
    expect((await events(h, /^job\.queued$/)).length).toBe(1);
  });

  test('the last vote and a denial: whichever came first decides', async () => {
    await request();
    await run('ben', 'approve APR-1');
    const [denied, late] = await Promise.all([
      run('cho', 'deny APR-1 --reason no'),
      run('dee', 'approve APR-1'),
    ]);
    expect([denied.status, code(late)]).toEqual(['ok', 'conflict']);
    expect(await states()).toEqual(['denied', 'cancelled']);
  });

  test('the last vote and a cancel of the job', async () => {
    await request();
    await run('ben', 'approve APR-1');
    const [, late] = await Promise.all([run('ana', 'job cancel JOB-1'), run('cho', 'approve APR-1')]);
    expect(code(late)).toBe('conflict');
    expect(await states()).toEqual(['cancelled', 'cancelled']);
  });

  test('one person’s two votes count once', async () => {
    await request();
    h.clock.pass(MINUTE);
    const answers = await Promise.all([
      run('ben', 'approve APR-1'),
      run('ben', 'approve APR-1', onSlack('ben')),
    ]);
    expect(answers.map(code)).toEqual([undefined, 'conflict']);
    expect(await rows(h, votes)).toHaveLength(1);
  });
});
