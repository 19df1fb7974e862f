import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { jobCancel, jobRetry } from '../../commands/job/change.ts';
import { deadCommands } from '../../commands/job/dead.ts';
import { jobEffects } from '../../commands/job/effects.ts';
import { ownAlone } from '../../src/core/owned.ts';
import { claim, LEASE } from '../../src/core/jobs/claiming.ts';
import { finish } from '../../src/core/jobs/finishing.ts';
import { buryOrphans } from '../../src/core/jobs/orphans.ts';
import { recover } from '../../src/core/jobs/recovering.ts';
import { within } from '../../src/core/jobs/room.ts';
import type { Answer } from '../../src/core/message.ts';
import type { Outcome, Stage } from '../../src/domain/job.ts';
import { HOUR, MINUTE, SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Json } from '../../src/domain/json.ts';
import { deadLetters, outbox } from '../../src/domain/records.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { OutboxWorker } from '../../src/worker/outbox.ts';
import { events, job, rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { testRunbook, tries } from '../support/runbook.ts';
import { controlled, jobWorker, now, silent, soon } from '../worker/support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
  runbook('restart', { tries: tries({ max: 1 }) });
  runbook('backup', { tries: tries({ max: 1 }) });
});
afterEach(() => h.close());

const runbook = (name: string, over: Partial<Runbook>) =>
  (h.catalog.runbooks as Map<string, Runbook>).set(name, testRunbook({ name, ...over }));
const run = (text: string, who = 'ben'): Promise<Answer> => h.run(who, text);
const code = (answer: Answer) => answer.error?.code;
const items = (answer: Answer) => (answer.reply.data as { items: Record<string, Json>[] }).items;
const random = () => 1;
const take = () =>
  h.store.transaction('main', async (tx) =>
    claim(
      tx,
      { owner: 'w1', begin: true },
      await within(tx, h.catalog, { capabilities: ['default'], limit: 1 }),
    ),
  );
/** Asks for a run and lets its one try end so. */
async function dies(
  name = 'restart',
  outcome: Exclude<Outcome, { kind: 'wait' }> = REFUSED,
): Promise<string> {
  const { data } = (await run(`job run ${name}`)).reply;
  const [claimed] = await take();
  if (!claimed) throw new Error('nothing to claim');
  const ending = { outcome, runbook: h.catalog.runbooks.get(name), receipts: [], random };
  await h.store.transaction('main', (tx) => finish(tx, claimed, ending));
  return (data as { id: string }).id;
}
const REFUSED = { kind: 'fail', failure: 'refused', reason: 'exit code 1' } as const;
const open = async () => (await run('job dead list')).reply.text;
const guard = (name: string) =>
  runbook(name, { approval: { quorum: 1, roles: ['approver'], persons: [], timeout: HOUR } });
const letters = () => rows(h, deadLetters, { orderBy: [{ column: 'id' }] });

describe('a dead letter', () => {
  test('tells the stage and the reason, without secrets, in the journal too', async () => {
    await dies('restart', { ...REFUSED, reason: 'token ghp_'.concat('z'.repeat(36), ' refused') });
    expect(await letters()).toMatchObject([
      {
        job: 'JOB-1',
        runbook: 'restart',
        stage: 'run',
        reason: 'token [redacted] refused',
        settledAt: null,
      },
    ]);
    expect(await events(h, /^job\.dead$/)).toMatchObject([
      { target: 'JOB-1', details: { stage: 'run', reason: 'token [redacted] refused' } },
    ]);
    expect((await run('job dead list', 'vic')).reply.text).toBe(
      'JOB-1 [run] restart · 2026-03-02 09:00:00 UTC · token [redacted] refused',
    );
  });

  test('is written for lost workers: before the job ever began, or while it ran', async () => {
    const lose = async (begin: boolean) => {
      await run('job run restart');
      await h.store.transaction('main', async (tx) =>
        claim(
          tx,
          { owner: 'gone', begin },
          await within(tx, h.catalog, { capabilities: ['default'], limit: 1 }),
        ),
      );
      h.clock.pass(LEASE + 1);
      const runbookOf = (name: string) => h.catalog.runbooks.get(name);
      await h.store.transaction('main', (tx) => recover(tx, { runbookOf, random, grace: 0 }));
    };
    await lose(false);
    await lose(true);
    expect(await letters()).toMatchObject([
      { job: 'JOB-1', stage: 'claim', reason: 'the worker that ran it was lost (stopped by tries.max)' },
      { job: 'JOB-2', stage: 'run' },
    ]);
    expect(await job(h)).toMatchObject({ failure: 'lost', stoppedBy: 'tries.max' });
  });

  test('is written for what cannot start', async () => {
    const cases: [string, () => unknown, string][] = [
      [
        'JOB-1',
        () => (h.catalog.runbooks as Map<string, Runbook>).delete('restart'),
        'the configuration no longer defines restart',
      ],
      [
        'JOB-2',
        () =>
          runbook('backup', { args: { type: 'object', required: ['target'], properties: { target: {} } } }),
        'its arguments are no longer what backup takes: --target is missing',
      ],
    ];
    await run('job run restart');
    await run('job run backup');
    for (const [, change] of cases) change();
    const { execute, tries: made } = controlled();
    const worker = jobWorker(h, execute);
    worker.start();
    await soon(async () => expect((await job(h, 'JOB-2')).state).toBe('failed'));
    await worker.stop(now());
    h.clock.pass(11 * MINUTE);
    await h.store.transaction('main', (tx) => buryOrphans(tx, h.catalog, 10));
    expect(made).toEqual([]);
    for (const [ref, , reason] of cases)
      expect((await letters()).find((letter) => letter.job === ref)).toMatchObject({
        stage: 'start',
        reason: expect.stringContaining(reason) as string,
      });
  });

  test('is not written for what was cancelled, nor for what is tried again', async () => {
    runbook('restart', { tries: tries({ max: 2 }) });
    await dies('restart', { kind: 'retry', failure: 'network', reason: 'no answer' });
    await run('job cancel JOB-1');
    expect(await letters()).toEqual([]);
  });
});

describe('job dead list', () => {
  test('lists what is open, the newest first, by filter and in pages', async () => {
    for (const name of ['restart', 'backup', 'restart']) {
      await dies(name);
      h.clock.pass(MINUTE);
    }
    const refs = async (text: string) => items(await run(text)).map((item) => item['id']);
    expect(await refs('job dead list')).toEqual(['JOB-3', 'JOB-2', 'JOB-1']);
    expect(await refs('job dead list --runbook restart')).toEqual(['JOB-3', 'JOB-1']);
    expect(await refs('job dead list --stage claim')).toEqual([]);
    expect(await refs('job dead list --since 2026-03-02T09:01:00Z')).toEqual(['JOB-3', 'JOB-2']);
    const page = await run('job dead list --limit 2');
    const { next } = page.reply.data as { next: string };
    expect(await refs(`job dead list --limit 2 --before ${next}`)).toEqual(['JOB-1']);
    expect(code(await run('job dead list --stage nowhere'))).toBe('invalid_argument');
    expect(code(await run('job dead list', 'nobody'))).toBe('forbidden');
  });
});

describe('job dead redrive', () => {
  test('queues one with all its tries, once', async () => {
    await dies();
    expect((await run('job dead redrive JOB-1')).reply.text).toBe('1 redriven.');
    expect(await job(h)).toMatchObject({
      state: 'queued',
      attempt: 1,
      maxAttempts: 2,
      error: null,
      stoppedBy: null,
    });
    expect(await letters()).toMatchObject([{ settledBy: 'ben', settledAt: h.clock.now() }]);
    expect((await events(h, /^job\.redriven$/)).at(-1)).toMatchObject({ target: 'JOB-1', actor: 'ben' });
    expect(await run('job dead redrive JOB-1')).toMatchObject({
      error: { code: 'conflict' },
      reply: { text: 'JOB-1 was dealt with already, by ben at 2026-03-02 09:00:00 UTC.' },
    });
    expect((await run('job dead list')).reply.text).toBe('No dead letters.');
  });

  test('takes a filter, at a rate', async () => {
    for (const name of ['restart', 'backup', 'restart', 'restart']) await dies(name);
    const answer = await run('job dead redrive --runbook restart --rate 10 --limit 2');
    expect(answer.reply.data).toMatchObject({ redriven: 2 });
    const due = [await job(h, 'JOB-1'), await job(h, 'JOB-3')].map(
      (row) => row.runAt.getTime() - h.clock.now().getTime(),
    );
    expect(due).toEqual([0, 6 * SECOND]);
    expect((await job(h, 'JOB-4')).state).toBe('failed');
    expect(code(await run('job dead redrive'))).toBe('invalid_argument');
    expect(code(await run('job dead redrive --stage claim'))).toBe('not_found');
    expect(code(await run('job dead redrive JOB-9'))).toBe('not_found');
  });

  test('is for whoever may run the runbook; what needs an approval each time is told how', async () => {
    await dies();
    await run('role add starter job:*', 'ana');
    await run('person add eve --roles starter', 'ana');
    expect(await run('job dead redrive JOB-1', 'eve')).toMatchObject({
      error: { code: 'forbidden' },
      reply: { text: expect.stringContaining('it needs the permission runbook:restart') as string },
    });
    runbook('restart', { approval: { quorum: 1, roles: ['approver'], persons: [], timeout: SECOND } });
    expect((await run('job dead redrive JOB-1')).reply.text).toContain(
      'needs a new approval for each run: use `job run --again JOB-1`',
    );
    await dies('backup');
    const some = await run('job dead redrive --stage run');
    expect(some.status).toBe('ok');
    expect(some.reply.text).toMatch(/^1 redriven, 1 not\.\nJOB-1: restart needs a new approval/);
    expect([(await job(h)).state, (await job(h, 'JOB-2')).state]).toEqual(['failed', 'queued']);
  });

  test.each(['run', 'report'] as const)(
    'leaves nothing of what was retried by itself, in stage %s',
    async (stage) => {
      await dies('restart', { kind: 'fail', stage, reason: 'too large' });
      await run('job retry JOB-1');
      expect(await open()).toBe('No dead letters.');
      expect(code(await run('job dead redrive JOB-1'))).toBe('conflict');
    },
  );

  test('is not held up by what cannot be redriven, however few are asked for', async () => {
    await dies('restart');
    await dies('backup');
    guard('restart');
    expect((await run('job dead redrive --stage run --limit 1')).reply.text).toMatch(
      /^1 redriven, 1 not\.\nJOB-1: restart needs a new approval/,
    );
    expect((await job(h, 'JOB-2')).state).toBe('queued');
  });
});

describe('what needs an approval each time', () => {
  test('is settled by the job that does it again, once that is approved', async () => {
    await dies();
    guard('restart');
    await run('job run --again JOB-1');
    expect(await open()).toContain('JOB-1 [run]');
    await run('approve APR-1', 'cho');
    expect((await job(h, 'JOB-2')).state).toBe('queued');
    expect(await open()).toBe('No dead letters.');
    expect(await letters()).toMatchObject([{ job: 'JOB-1', settledBy: 'ben' }]);
  });

  test('stays where what its steps did is left to undo', async () => {
    await dies();
    const [letter] = await letters();
    if (!letter) throw new Error('no letter');
    await h.store.transaction('main', (tx) => tx.update(deadLetters, letter, { stage: 'compensate' }));
    await run('job run --again JOB-1');
    expect(await open()).toContain('JOB-1 [compensate]');
  });
});

describe('job dead dismiss', () => {
  test('closes one with a reason, and the job stays as it is', async () => {
    await dies();
    expect(code(await run('job dead dismiss JOB-1'))).toBe('invalid_argument');
    expect((await run('job dead dismiss JOB-1 --reason "done by hand"')).reply.text).toBe('1 dismissed.');
    expect(await open()).toBe('No dead letters.');
    expect((await job(h)).state).toBe('failed');
    expect(await events(h, /^job\.dismissed$/)).toMatchObject([
      { target: 'JOB-1', actor: 'ben', details: { stage: 'run', why: 'done by hand' } },
    ]);
    expect(code(await run('job dead dismiss JOB-1 --reason again'))).toBe('conflict');
  });

  test('takes a filter, and the permission of the runbook', async () => {
    for (const name of ['restart', 'backup', 'restart']) await dies(name);
    await run('role add starter job:* runbook:backup', 'ana');
    await run('person add eve --roles starter', 'ana');
    const some = await run('job dead dismiss --stage run --reason old', 'eve');
    expect(some.reply.data).toMatchObject({ dismissed: 1 });
    expect(some.reply.text).toContain('JOB-1: it needs the permission runbook:restart');
    expect(code(await run('job dead dismiss --reason old'))).toBe('invalid_argument');
    expect((await run('job dead dismiss --runbook restart --limit 1 --reason old')).reply.data).toMatchObject(
      {
        dismissed: 1,
      },
    );
    expect(await open()).toMatch(/^JOB-3 \[run\] restart/);
  });
});

test('a report that cannot be delivered dies, and is sent again under its own key', async () => {
  let away = true;
  const sent: string[] = [];
  const worker = new OutboxWorker({
    store: h.store,
    workspace: 'main',
    own: ownAlone,
    clock: h.clock,
    log: silent,
    notifiers: new Map([
      [
        'slack',
        {
          send: async (_to, { key, reply }) => {
            if (away) throw new Refusal('not_found', 'no such channel');
            sent.push(`${key} ${reply.text}`);
            return { externalId: '1' };
          },
        },
      ],
    ]),
  });
  await h.run('ben', 'job run restart', { origin: { channel: 'slack', to: 'C1' } });
  const [claimed] = await take();
  if (!claimed) throw new Error('nothing to claim');
  const ending = { outcome: { kind: 'done', result: {} } as const, runbook: undefined, receipts: [], random };
  await h.store.transaction('main', (tx) => finish(tx, claimed, ending));
  await worker.start();
  const stage: Stage = 'report';
  await soon(async () => expect(await letters()).toMatchObject([{ stage, reason: 'no such channel' }]));
  expect((await run('job dead list --stage report')).reply.text).toContain('JOB-1 [report] restart');
  away = false;
  expect((await run('job dead redrive JOB-1')).reply.text).toBe('1 redriven.');
  await soon(() => expect(sent).toEqual(['job:JOB-1:4:end JOB-1 succeeded: restart']));
  await worker.stop(AbortSignal.abort());
  expect((await job(h)).state).toBe('succeeded');
  expect(await rows(h, outbox, { where: { state: 'sent' } })).toHaveLength(1);
  expect(code(await run('job dead redrive JOB-1'))).toBe('conflict');
});

describe('every example', () => {
  const examples = [...deadCommands, jobEffects, jobCancel, jobRetry].flatMap((one) => one.examples);
  test.each(examples.map((example) => [example.text, example.json] as const))('%s', async (text, json) => {
    runbook('deploy', { tries: tries({ max: 1 }) });
    for (const name of ['restart', 'backup', 'restart']) await dies(name);
    await run('job run deploy');
    await h.store.transaction('main', async (tx) =>
      claim(tx, { owner: 'gone' }, await within(tx, h.catalog, { capabilities: ['default'], limit: 1 })),
    );
    h.clock.pass(LEASE + 1);
    const runbookOf = (name: string) => h.catalog.runbooks.get(name);
    await h.store.transaction('main', (tx) => recover(tx, { runbookOf, random, grace: 0 }));
    if (json.command === 'job.cancel') await run('job retry JOB-2');
    const context = { now: h.clock.now(), who: 'ana' };
    expect((await h.language.read({ text }, context)).invocation).toEqual(json);
    expect((await h.language.read({ text: h.language.format(json) }, context)).invocation).toEqual(json);
    const answer = await run(text, 'ana');
    expect(answer, answer.reply.text).toMatchObject({ status: 'ok' });
  });
});
