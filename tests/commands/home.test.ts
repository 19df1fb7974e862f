import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer, Item } from '../../src/core/message.ts';
import { approvals } from '../../src/domain/approval.ts';
import { DAY, HOUR } from '../../src/domain/clock.ts';
import { jobs, type JobRow } from '../../src/domain/job.ts';
import { probeStates } from '../../src/domain/probe.ts';
import { testRunbook } from '../support/runbook.ts';
import { testCatalog } from '../support/catalog.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { approval } from '../core/support.ts';

let h: Harness;

const home = (who: string): Promise<Answer> => h.run(who, 'home');

/** Titles with the texts below them, as a card shows them. */
async function sections(who: string): Promise<Record<string, readonly string[]>> {
  const { reply } = await home(who);
  const of = reply.card?.sections ?? [];
  return Object.fromEntries(
    of.map(({ title, items, none, more }) => [
      title,
      [
        ...(items.length === 0 ? [none] : items.map(({ text }) => text)),
        ...(more === undefined ? [] : [more]),
      ],
    ]),
  );
}

async function itemsOf(who: string, title: string): Promise<readonly Item[]> {
  const { reply } = await home(who);
  return reply.card?.sections?.find((section) => section.title === title)?.items ?? [];
}

const labels = (item: Item | undefined): string[] => (item?.actions ?? []).map(({ label }) => label);

async function run(who: string, text: string): Promise<void> {
  const answer = await h.run(who, text);
  if (answer.status === 'error') throw new Error(`${text}: ${answer.reply.text}`);
}

const setJob = (ref: string, patch: Partial<Omit<JobRow, 'id' | 'version'>>) =>
  h.store.transaction('main', async (tx) => {
    const row = await tx.get(jobs, { ref });
    if (row) await tx.update(jobs, row, patch);
  });

const VOTES = 'Waiting for your vote';
const ASKED = 'You asked for';
const TASKS = 'Your tasks';
const JOBS = 'Running jobs';
const PROBES = 'Probes';

describe.each(DATABASES)('home, on %s', (_name, open) => {
  beforeEach(async () => {
    h = await open();
  });
  afterEach(() => h.close());

  test('says of each part that there is nothing', async () => {
    expect(await sections('ana')).toEqual({
      [VOTES]: ['Nothing waits for your vote.'],
      [ASKED]: ['Nothing of yours waits for approval.'],
      [TASKS]: ['No open task is yours.'],
      [JOBS]: ['No job is running.'],
      [PROBES]: ['api [unknown] The API answers'],
    });
    const { reply, status } = await home('ana');
    expect([status, reply.card?.title]).toEqual(['ok', 'Signalbox for Ana']);
    expect(reply.text.split('\n').slice(0, 5)).toEqual([
      VOTES,
      '  Nothing waits for your vote.',
      '',
      ASKED,
      '  Nothing of yours waits for approval.',
    ]);
    expect(reply.data).toMatchObject({
      approvals: { items: [], more: 0 },
      asked: { items: [], more: 0 },
      tasks: { items: [], more: 0 },
      jobs: { items: [], more: 0 },
      probes: { items: [{ id: 'api', state: 'unknown' }], more: 0 },
    });
  });

  test('a request waits for approvers who have not voted, and stands apart for whoever asked', async () => {
    await run('ben', 'job run deploy --env staging');
    const asks = 'APR-1 · ben asks: job run deploy --env staging · risk destructive';
    const until = 'until 2026-03-02 10:00 UTC';
    expect(await sections('ben')).toMatchObject({
      [VOTES]: ['Nothing waits for your vote.'],
      [ASKED]: [`${asks} · approved by nobody yet (needs 2) · ${until}`],
    });
    expect((await sections('cho'))[VOTES]).toEqual([`${asks} · approved by nobody yet (needs 2) · ${until}`]);
    // An administrator is no approver, and a program never is.
    for (const who of ['ana', 'vic', 'bot'])
      expect((await sections(who))[VOTES]).toEqual(['Nothing waits for your vote.']);
    await run('ana', 'person add eve --roles approver');
    await run('cho', 'approve APR-1');
    expect((await sections('cho'))[VOTES]).toEqual(['Nothing waits for your vote.']);
    const agreed = `${asks} · approved by cho (needs 2) · ${until}`;
    expect((await sections('eve'))[VOTES]).toEqual([agreed]);
    expect((await sections('ben'))[ASKED]).toEqual([agreed]);
    expect((await home('eve')).reply.data).toMatchObject({
      approvals: { items: [{ id: 'APR-1', approvedBy: ['cho'] }] },
    });
    h.clock.pass(HOUR);
    expect(await sections('eve')).toMatchObject({ [VOTES]: ['Nothing waits for your vote.'] });
    expect(await sections('ben')).toMatchObject({ [ASKED]: ['Nothing of yours waits for approval.'] });
  });

  test('a vote from here is bound to what was shown, and a denial asks for its reason', async () => {
    await run('ben', 'job run deploy --env staging');
    const { digest } = await approval(h);
    const [item] = await itemsOf('cho', VOTES);
    expect(item?.actions).toEqual([
      {
        label: 'Approve',
        style: 'primary',
        invocation: { command: 'approval.approve', args: { approval: 'APR-1', digest } },
      },
      {
        label: 'Deny',
        style: 'danger',
        invocation: { command: 'approval.deny', args: { approval: 'APR-1', digest } },
        asks: ['reason'],
      },
      { label: 'Details', invocation: { command: 'approval.show', args: { id: 'APR-1' } } },
    ]);
    expect(labels((await itemsOf('ben', ASKED))[0])).toEqual(['Details']);
  });

  test('what is too long to be read here has to be looked at before it is approved', async () => {
    await run('ben', `job run deploy --env staging --service ${'x'.repeat(300)}`);
    await run('ben', `job run deploy --env staging --service "${'&'.repeat(40)}"`);
    const [long, wide] = await itemsOf('cho', VOTES);
    expect(long?.text).toContain('xxx… (see Details) · risk destructive');
    expect([labels(long), labels(wide)]).toEqual([['Details'], ['Details']]);
  });

  test('what is offered for approval is marked as what is shown letter by letter', async () => {
    await run('ben', 'job run deploy --env staging --service "*~web~*"');
    const [item] = await itemsOf('cho', VOTES);
    expect(item?.exact).toBe('job run deploy --env staging --service *~web~*');
    expect(item?.text).toContain(` asks: ${item?.exact} · risk`);
    expect(labels(item)).toEqual(['Approve', 'Deny', 'Details']);
  });

  test('of more requests than are looked through it is not said that none waits', async () => {
    await run('ben', 'job run deploy --env staging');
    const row = await approval(h);
    const policy = { ...row.policy, roles: ['nobody'], persons: [] };
    await h.store.transaction('main', async (tx) => {
      for (let n = 0; n < 1_000; n += 1) {
        const id = tx.id();
        await tx.insert(approvals, { ...row, id, ref: `APR-${n + 100}`, requester: 'ana', policy });
      }
      await tx.update(approvals, row, { expiresAt: new Date(row.expiresAt.getTime() + HOUR) });
    });
    const shown = await sections('cho');
    expect(shown[VOTES]).toEqual(['None of the first 1000 waits for your vote.', 'and perhaps more']);
    const asked = await sections('ana');
    expect(asked[ASKED]?.at(-1)).toBe('and 990 more');
    expect((await sections('ben'))[ASKED]).toHaveLength(1);
  });

  test('tasks are the caller’s own: the most urgent first, then what is due, then the oldest', async () => {
    for (const [title, more] of [
      ['late', '--priority P1 --due 2026-03-09'],
      ['soon', '--priority P1 --due 2026-03-03'],
      ['some time', '--priority P1'],
      ['urgent', '--priority P0'],
    ] as const)
      await run('ana', `task create "${title}" --owner @ben ${more}`);
    await run('ana', 'task create "not his" --owner @cho');
    await run('ana', 'task create over --owner @ben');
    for (const to of ['in_progress', 'review', 'approved', 'done']) await run('ben', `task move TSK-6 ${to}`);
    expect((await sections('ben'))[TASKS]).toEqual([
      'TSK-4 [P0 queued] urgent · ben',
      'TSK-2 [P1 queued] soon · ben · due 2026-03-03',
      'TSK-1 [P1 queued] late · ben · due 2026-03-09',
      'TSK-3 [P1 queued] some time · ben',
    ]);
  });

  test('a task can be ended from here where it can be ended', async () => {
    await run('ana', 'task create one --owner @ben');
    expect(labels((await itemsOf('ben', TASKS))[0])).toEqual(['Show']);
    for (const to of ['in_progress', 'review', 'approved']) await run('ben', `task move TSK-1 ${to}`);
    expect((await itemsOf('ben', TASKS))[0]?.actions).toEqual([
      {
        label: 'Done',
        style: 'primary',
        invocation: { command: 'task.move', args: { id: 'TSK-1', to: 'done' } },
      },
    ]);
    await run('ben', 'task check TSK-1 --add "tell everybody"');
    expect(labels((await itemsOf('ben', TASKS))[0])).toEqual(['Show']);
  });

  test('jobs are those that are not over, the newest first, with how far they have come', async () => {
    for (let n = 0; n < 3; n += 1) await run('ben', 'job run restart');
    await setJob('JOB-1', { state: 'running', attempt: 1, progress: { percent: 40, text: 'Building' } });
    await setJob('JOB-2', { state: 'succeeded', endedAt: h.clock.now() });
    expect((await sections('vic'))[JOBS]).toEqual([
      'JOB-3 [queued] restart · ben',
      expect.stringMatching(/^JOB-1 \[running\] restart · ben · try 1, \d+ left · 40 % Building$/),
    ]);
    expect(labels((await itemsOf('ben', JOBS))[0])).toEqual(['Cancel', 'Log']);
    expect(labels((await itemsOf('vic', JOBS))[0])).toEqual(['Log']);
  });

  test('of each part ten are shown, and how many more there are', async () => {
    for (let n = 0; n < 12; n += 1) {
      await run('ana', `task create "number ${n}" --owner @cho`);
      await run('ben', 'job run restart');
      await run('ben', 'job run deploy --env staging');
    }
    const shown = await sections('cho');
    expect(Object.entries(shown).map(([title, lines]) => [title, lines.length, lines.at(-1)])).toEqual([
      [VOTES, 11, 'and 2 more'],
      [ASKED, 1, 'Nothing of yours waits for approval.'],
      [TASKS, 11, 'and 2 more'],
      [JOBS, 11, 'and 14 more'],
      [PROBES, 1, 'api [unknown] The API answers'],
    ]);
    expect((await home('cho')).reply.data).toMatchObject({ jobs: { more: 14 }, tasks: { more: 2 } });
  });

  test('each part is shown to whoever may read it, and to nobody else', async () => {
    await run('ana', 'role add clerk task:read');
    await run('ana', 'person add eve --roles clerk');
    await run('ana', 'person add fay');
    expect(Object.keys(await sections('eve'))).toEqual([TASKS]);
    const { reply, status } = await home('fay');
    expect([status, reply.data, reply.card?.sections]).toEqual(['ok', {}, []]);
    expect(reply.text).toBe('There is nothing that you may look at; ask an administrator for a role.');
  });

  test('a look at it leaves nothing behind', async () => {
    const before = (await h.entries()).length;
    await home('ana');
    expect((await h.entries()).length).toBe(before);
  });
});

describe('probes', () => {
  const named = (name: string) => ({
    ...testCatalog().probes.get('api'),
    name,
    summary: `The ${name} answers`,
  });

  beforeEach(async () => {
    const probes = new Map(['web', 'api', 'mail'].map((name) => [name, named(name)]));
    h = await DATABASES[0][1]({
      probes: probes as unknown as ReturnType<typeof testCatalog>['probes'],
      runbooks: new Map([['restart', testRunbook({ name: 'restart' })]]),
    });
  });
  afterEach(() => h.close());

  test('that fail come first, with why, and can be asked again', async () => {
    const seen = { checkedAt: h.clock.now(), latency: 12, observation: {} };
    await h.store.transaction('main', async (tx) => {
      const since = new Date(tx.now.getTime() - DAY);
      await tx.insert(probeStates, { id: 'web', state: 'ok', since, failures: [], ...seen });
      const failures = ['status: expected 200, got 503'];
      await tx.insert(probeStates, { id: 'mail', state: 'failed', since, failures, ...seen });
    });
    expect((await sections('vic'))[PROBES]).toEqual([
      'mail [failed] The mail answers · since 2026-03-01 09:00 UTC · status: expected 200, got 503',
      'api [unknown] The api answers',
      'web [ok] The web answers · since 2026-03-01 09:00 UTC',
    ]);
    expect((await itemsOf('ben', PROBES)).map(labels)).toEqual([['Ask now'], ['Ask now'], []]);
    expect((await itemsOf('vic', PROBES)).map(labels)).toEqual([[], [], []]);
  });
});
