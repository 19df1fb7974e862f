import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { render } from '../../adapters/slack/rendering/render.ts';
import { isShownWhole } from '../../src/core/approval-cards.ts';
import type { Answer, Reply } from '../../src/core/message.ts';
import { voteTokens } from '../../src/domain/approval.ts';
import { HOUR } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import { outbox } from '../../src/domain/records.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { testRunbook } from '../support/runbook.ts';
import { approval, byMail, onSlack, outgoing, rows } from './support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

const code = (answer: Answer) => answer.error?.code;
const request = (over = {}) => h.run('ana', 'job run deploy --env staging', over);
const mailOf = async (name: string, ref = 'APR-1') => {
  const [row] = await rows(h, outbox, { where: { key: `approval:${ref}:email:${name}@example.test` } });
  if (!row) throw new Error(`no mail to ${name}`);
  return (row.reply as { reply: Reply & { data: { mailToken: string } } }).reply;
};

describe('who is asked', () => {
  test('every approver where they are linked, and neither the requester nor a program', async () => {
    await h.run('ben', 'job run deploy --env staging');
    expect(Object.keys(await outgoing(h))).toEqual([
      'approval:APR-1:slack:T1/UCHO',
      'approval:APR-1:email:cho@example.test',
    ]);
  });

  test('and is shown exactly what will run, the risk, the end and the digest', async () => {
    await request();
    const { text, data, actions } = await mailOf('ben');
    const { digest } = await approval(h);
    expect(text.split('\n')).toEqual([
      'APR-1: ana asks to run',
      'job run deploy --env staging',
      'Risk: destructive. Needs 2 approvals.',
      `Expires: 2026-03-02 10:00 UTC. Digest: ${digest.slice(0, 12)}.`,
    ]);
    expect(data).toEqual({ approval: 'APR-1', digest, mailToken: expect.stringMatching(/^[0-9a-f]{36}$/) });
    expect(actions?.map((a) => [a.label, a.invocation, a.asks])).toEqual([
      ['Approve', { command: 'approval.approve', args: { approval: 'APR-1', digest } }, undefined],
      ['Deny', { command: 'approval.deny', args: { approval: 'APR-1', digest } }, ['reason']],
      ['Details', { command: 'approval.show', args: { id: 'APR-1' } }, undefined],
    ]);
    const [slack] = await rows(h, outbox, { where: { key: 'approval:APR-1:slack:T1/UBEN' } });
    expect(slack).toMatchObject({ address: { channel: 'slack', to: 'UBEN' } });
    expect(JSON.stringify(slack?.reply)).not.toContain('mailToken');
  });

  test('but of a run with a secret among its arguments nobody is asked', async () => {
    await h.close();
    const approvalPolicy = { quorum: 1, roles: ['approver'], persons: [], timeout: HOUR };
    const args = {
      type: 'object',
      properties: { password: { type: 'string' } },
      additionalProperties: false,
    };
    const runbook = testRunbook({ name: 'rotate', args, approval: approvalPolicy });
    h = await createHarness({ runbooks: new Map([['rotate', runbook]]) });
    const body = { command: 'job.run', args: { runbook: 'rotate', args: { password: 'hunter2' } } };
    const answer = await h.run('ana', body);
    expect(answer.error?.code).toBe('invalid_argument');
    expect(answer.reply.text).toContain('--password looks like a secret');
    expect(await outgoing(h)).toEqual({});
    expect(await rows(h, jobs)).toEqual([]);
    expect(JSON.stringify(await h.entries())).not.toContain('hunter2');
  });
});

describe('the card of a request', () => {
  const cardOf = async (name: string) => {
    const [row] = await rows(h, outbox, {
      where: { key: `approval:APR-1:slack:T1/U${name.toUpperCase()}` },
    });
    const { reply } = (row?.reply ?? {}) as { reply?: Reply };
    return { card: reply?.card, labels: reply?.actions?.map(({ label }) => label) };
  };
  const deliver = async () => {
    for (const row of await rows(h, outbox, { where: { key: { prefix: 'approval:APR-1:slack:' } } }))
      await h.store.transaction('main', (tx) =>
        tx.update(outbox, row, { state: 'sent', externalId: `D1:${row.key}`, reply: {} }),
      );
  };
  const exact = 'job run deploy --env staging';
  const needs = { label: 'Needs', text: '2 approvals (role approver)' };

  test('says what will run, who asked, what it takes and how long there is', async () => {
    await request();
    const { digest } = await approval(h);
    expect(await cardOf('ben')).toEqual({
      card: {
        title: 'APR-1: ana asks to run',
        exact,
        facts: [
          { label: 'Asked by', text: 'ana' },
          { label: 'Risk', text: 'destructive' },
          needs,
          { label: 'Approved so far', text: 'nobody yet' },
          { label: 'Expires', at: '2026-03-02T10:00:00.000Z' },
          { label: 'Digest', text: digest.slice(0, 12) },
          { label: 'Target', text: 'JOB-1' },
        ],
      },
      labels: ['Approve', 'Deny', 'Details'],
    });
  });

  test('names who has approved, and in the end who decided, without choices', async () => {
    await request();
    await deliver();
    await h.run('cho', 'approve APR-1');
    expect((await cardOf('ben')).card?.facts).toContainEqual({ label: 'Approved so far', text: 'cho' });
    h.clock.pass(1_000);
    await h.run('ben', 'approve APR-1');
    const { card, labels } = await cardOf('ben');
    expect(labels).toBeUndefined();
    expect(card).toMatchObject({
      title: 'APR-1 approved: ana asked to run',
      exact,
      body: 'JOB-1 is queued: deploy.',
      facts: expect.arrayContaining([
        { label: 'Approved by', text: 'cho, ben' },
        { label: 'Decided', at: '2026-03-02T09:00:01.000Z' },
      ]),
    });
    expect((await cardOf('cho')).card).toEqual(card);
  });

  test('says who denied it and why', async () => {
    await request();
    await deliver();
    await h.run('ben', 'deny APR-1 --reason "not on a Friday"');
    const { card, labels } = await cardOf('cho');
    expect(labels).toBeUndefined();
    expect(card?.title).toBe('APR-1 denied: ana asked to run');
    expect(card?.facts?.slice(0, 3)).toEqual([
      { label: 'Denied by', text: 'ben' },
      { label: 'Reason', text: 'not on a Friday' },
      { label: 'Asked by', text: 'ana' },
    ]);
  });

  test('says that it was taken back', async () => {
    await request();
    await deliver();
    await h.run('ana', 'approval cancel APR-1');
    const { card } = await cardOf('ben');
    expect(card?.title).toBe('APR-1 cancelled: ana asked to run');
    expect(card?.facts?.[0]).toEqual({ label: 'Reason', text: 'taken back by ana' });
  });

  test('is the answer to a look at it, with the votes, and choices for whoever may vote', async () => {
    await request();
    await h.run('cho', 'approve APR-1 --reason fine');
    const { reply } = await h.run('ben', 'approval show APR-1');
    expect(reply.card).toMatchObject({ title: 'APR-1: ana asks to run', exact });
    expect(reply.card?.body).toBe('cho: approve (fine) by terminal');
    expect(reply.actions?.map(({ label }) => label)).toEqual(['Approve', 'Deny']);
    expect((await h.run('ana', 'approval show APR-1')).reply.actions).toBeUndefined();
    expect((await h.run('', 'approval show APR-1', byMail('ben'))).reply.actions).toBeUndefined();
    expect((await h.run('cho', 'approval show APR-1')).reply.actions).toBeUndefined();
  });
});

describe('a command that is too long for a card', () => {
  const long = (length: number) =>
    h.run('ana', `job run deploy --env staging --service ${'x'.repeat(length)}`);
  const cardTo = async (ref = 'APR-1') => {
    const [row] = await rows(h, outbox, { where: { key: `approval:${ref}:slack:T1/UBEN` } });
    if (!row) throw new Error(`no card of ${ref}`);
    return (row.reply as { reply: Reply }).reply;
  };
  const LENGTH = 3_000 - 'job run deploy --env staging --service '.length;

  test('is not approved by a button, and it is said how to', async () => {
    await long(LENGTH + 1);
    const { card, actions } = await cardTo();
    expect(actions?.map(({ label }) => label)).toEqual(['Deny', 'Details']);
    expect(card?.body).toBe(
      'Too long to be approved here. Read all of it by mail or REST, then type: approve APR-1',
    );
    const { reply } = await h.run('ben', 'approval show APR-1');
    expect(reply.actions?.map(({ label }) => label)).toEqual(['Deny']);
    expect((await mailOf('ben')).text).toContain('x'.repeat(LENGTH + 1));
    await h.run('ben', 'deny APR-1 --reason no');
    const after = await h.run('ben', 'approval show APR-1');
    expect(after.reply.card?.body).toBe('ben: deny (no) by terminal');
  });

  test('but one that has a button is shown whole, whatever else there is to show', async () => {
    await long(LENGTH);
    const { card, actions, text } = await cardTo();
    expect(actions?.map(({ label }) => label)).toEqual(['Approve', 'Deny', 'Details']);
    const facts = Array.from({ length: 10 }, (_, n) => ({ label: `Fact ${n}`, text: 'y'.repeat(5_000) }));
    const full = { title: 'T'.repeat(200), exact: card?.exact ?? '', facts, body: 'z'.repeat(20_000) };
    const { blocks } = render({ text, card: full, actions: actions ?? [] });
    expect(JSON.stringify(blocks).match(/x/g)?.length).toBeGreaterThanOrEqual(LENGTH);
    for (const sign of ['&', '<', '\\', '`', '"', '\n&', 'é']) {
      const signs = sign.repeat(3_000);
      const most =
        Array.from(signs, (_, n) => n).findLast((n) => isShownWhole(signs.slice(0, n), 3_000)) ?? 0;
      const one = { title: full.title, exact: signs.slice(0, most), facts, body: full.body };
      const [, ...boxes] = render({ text, card: one, actions: actions ?? [] }).blocks;
      const end = boxes.findIndex((block) => !JSON.stringify(block).includes('```'));
      expect([sign, JSON.stringify(boxes[end])]).not.toEqual([sign, expect.stringContaining('shortened')]);
    }
  });
});

describe('an answer that shows an open request where messages can be changed', () => {
  const key = async () =>
    (await rows(h, outbox, { where: { key: { prefix: 'approval:APR-1:slack:answer:' } } }))[0];

  test('loses its choices with the decision', async () => {
    await request();
    await h.run('', 'approval show APR-1', onSlack('ben'));
    const sent = await key();
    if (!sent) throw new Error('no answer');
    expect(sent).toHaveProperty('reply.reply.actions', [
      expect.objectContaining({ label: 'Approve' }),
      expect.objectContaining({ label: 'Deny' }),
    ]);
    await h.store.transaction('main', (tx) =>
      tx.update(outbox, sent, { state: 'sent', externalId: 'C1:7', reply: {} }),
    );
    await h.run('ben', 'deny APR-1 --reason no');
    const after = await key();
    expect(after).toMatchObject({
      state: 'queued',
      reply: { replaces: 'C1:7', reply: { text: 'APR-1 denied: no.' } },
    });
    expect(after?.reply).not.toHaveProperty('reply.actions');
  });

  test('says how it ended where that was decided before it was sent', async () => {
    await request();
    await h.run('', 'approval show APR-1', onSlack('ben'));
    await h.run('ben', 'deny APR-1 --reason no');
    expect(await key()).toMatchObject({
      state: 'queued',
      address: { channel: 'slack', to: 'C1', thread: '1.2' },
      reply: { reply: { text: 'APR-1 denied: no.' } },
    });
  });
});

describe('a vote by mail', () => {
  const token = async (name: string, ref?: string) => (await mailOf(name, ref)).data.mailToken;

  test('takes the token that was sent for it', async () => {
    await request();
    expect(code(await h.run('', 'approve APR-1', byMail('ben')))).toBe('forbidden');
    expect(code(await h.run('', 'approve APR-1', byMail('ben', 'f'.repeat(36))))).toBe('forbidden');
    expect((await h.run('', 'approve APR-1', byMail('ben', await token('ben')))).status).toBe('ok');
    expect((await rows(h, voteTokens, { orderBy: [{ column: 'uses' }] })).map((t) => t.uses)).toEqual([0, 1]);
  });

  test('takes it once, from its own receiver, for its own request, in time', async () => {
    await request();
    await request();
    const bens = await token('ben');
    expect(code(await h.run('', 'approve APR-1', byMail('cho', bens)))).toBe('forbidden');
    expect(code(await h.run('', 'approve APR-2', byMail('ben', bens)))).toBe('forbidden');
    expect((await h.run('', 'approve APR-1', byMail('ben', bens))).status).toBe('ok');
    expect(code(await h.run('', 'approve APR-1', byMail('ben', bens)))).toBe('forbidden');
    const late = await token('cho');
    h.clock.pass(HOUR);
    expect(code(await h.run('', 'approve APR-1', byMail('cho', late)))).toBe('forbidden');
  });

  test('is not spent by a vote that did not count', async () => {
    await request();
    const proof = await token('ben');
    expect(code(await h.run('', 'deny APR-1', byMail('ben', proof)))).toBe('invalid_argument');
    expect((await h.run('', 'deny APR-1 --reason no', byMail('ben', proof))).status).toBe('ok');
  });

  test('cannot be cast by confirming a reading without the token', async () => {
    await request();
    await h.run('', 'please approve APR-1', byMail('ben'));
    expect(code(await h.run('', 'yes', byMail('ben')))).not.toBeUndefined();
    expect((await approval(h)).state).toBe('pending');
  });

  test('leaves no token behind in clear but in the mail itself', async () => {
    await request();
    const proof = await token('ben');
    expect(JSON.stringify([await rows(h, voteTokens), await h.entries()])).not.toContain(proof);
  });
});

describe('the outcome', () => {
  test('goes to the conversation that asked', async () => {
    await request(onSlack('ana'));
    await h.run('ben', 'approve APR-1');
    await h.run('cho', 'approve APR-1');
    const key = 'job:JOB-1:answer:APR-1';
    expect((await outgoing(h))[key]).toBe('APR-1 approved.\nJOB-1 is queued: deploy.');
    const [row] = await rows(h, outbox, { where: { key } });
    expect(row?.address).toEqual({ channel: 'slack', to: 'C1', thread: '1.2' });
  });

  test('withdraws what was not sent yet, and replaces the cards that were', async () => {
    await request();
    const [sent] = await rows(h, outbox, { where: { key: 'approval:APR-1:slack:T1/UBEN' } });
    if (!sent) throw new Error('no card');
    await h.store.transaction('main', (tx) =>
      tx.update(outbox, sent, { state: 'sent', externalId: 'D1:7', reply: {} }),
    );
    await h.run('ben', 'deny APR-1 --reason "not on a Friday"');
    const after = await rows(h, outbox, { orderBy: [{ column: 'id' }] });
    expect(after.map((m) => [m.key, m.state])).toEqual([
      ['approval:APR-1:slack:T1/UBEN', 'queued'],
      ['approval:APR-1:email:ben@example.test', 'withdrawn'],
      ['approval:APR-1:slack:T1/UCHO', 'withdrawn'],
      ['approval:APR-1:email:cho@example.test', 'withdrawn'],
    ]);
    expect(after[0]).toMatchObject({
      address: { channel: 'slack', to: 'UBEN' },
      reply: { replaces: 'D1:7', reply: { text: 'APR-1 denied: not on a Friday.' } },
    });
    expect(JSON.stringify(after)).not.toContain('mailToken');
  });

  test('is not lost on a card whose votes were just to be shown', async () => {
    await request();
    const where = { key: 'approval:APR-1:slack:T1/UBEN' };
    const [sent] = await rows(h, outbox, { where });
    if (!sent) throw new Error('no card');
    await h.store.transaction('main', (tx) =>
      tx.update(outbox, sent, { state: 'sent', externalId: 'D1:7', reply: {} }),
    );
    await h.run('cho', 'approve APR-1');
    const [shown] = await rows(h, outbox, { where });
    expect(shown).toMatchObject({ state: 'queued', reply: { replaces: 'D1:7' } });
    expect(shown).toHaveProperty('reply.reply.text', expect.stringContaining('\nApproved so far: cho.\n'));
    expect(shown).toHaveProperty('reply.reply.actions', [
      expect.objectContaining({ label: 'Approve' }),
      expect.objectContaining({ label: 'Deny' }),
      expect.objectContaining({ label: 'Details' }),
    ]);
    await h.run('ben', 'deny APR-1 --reason no');
    const [settled] = await rows(h, outbox, { where });
    expect(settled).toMatchObject({
      state: 'queued',
      reply: { replaces: 'D1:7', reply: { text: 'APR-1 denied: no.' } },
    });
    expect(settled?.reply).not.toHaveProperty('reply.actions');
  });

  test('reaches a card whose change was given up before', async () => {
    await request();
    const where = { key: 'approval:APR-1:slack:T1/UBEN' };
    const [card] = await rows(h, outbox, { where });
    if (!card) throw new Error('no card');
    await h.store.transaction('main', (tx) =>
      tx.update(outbox, card, { state: 'dead', externalId: 'D1:7', error: 'token_revoked', reply: {} }),
    );
    await h.run('ben', 'deny APR-1 --reason no');
    expect((await rows(h, outbox, { where }))[0]).toMatchObject({
      state: 'queued',
      reply: { replaces: 'D1:7', reply: { text: 'APR-1 denied: no.' } },
    });
  });

  test('reaches every card, of however many approvers', async () => {
    await request();
    const [card] = await rows(h, outbox, { where: { key: 'approval:APR-1:slack:T1/UBEN' } });
    if (!card) throw new Error('no card');
    await h.store.transaction('main', async (tx) => {
      for (let n = 0; n < 1_000; n += 1)
        await tx.insert(outbox, { ...card, id: tx.id(), key: `approval:APR-1:slack:T1/U${n}` });
    });
    await h.run('ben', 'deny APR-1 --reason no');
    expect(await rows(h, outbox, { where: { state: 'queued' } })).toEqual([]);
  });

  test('of one request leaves the cards of another alone', async () => {
    for (let n = 0; n < 10; n += 1) await request();
    await h.run('ben', 'deny APR-1 --reason no');
    const states = (await rows(h, outbox, { limit: 100 })).map((m) => `${m.key.split(':')[1]} ${m.state}`);
    expect([...new Set(states)].filter((s) => s.endsWith('withdrawn'))).toEqual(['APR-1 withdrawn']);
    expect(states).toContain('APR-10 queued');
  });
});
