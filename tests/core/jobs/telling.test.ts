import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addLines } from '../../../src/core/jobs/log.ts';
import { noteProgress } from '../../../src/core/jobs/progress.ts';
import { requeue } from '../../../src/core/jobs/retrying.ts';
import { tellEnd, tellNews, tellPause } from '../../../src/core/jobs/telling.ts';
import type { Reply } from '../../../src/core/message.ts';
import type { Tx } from '../../../src/core/store.ts';
import { SECOND } from '../../../src/domain/clock.ts';
import { jobLogs, jobs, type JobRow } from '../../../src/domain/job.ts';
import { outbox } from '../../../src/domain/records.ts';
import { byMail, events, job, onSlack, rows } from '../support.ts';
import { createHarness, type Harness } from '../../support/harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

/** A slash command: it was answered in its acknowledgement. */
const bySlash = () => {
  const { replyTo: origin, ...message } = onSlack('ben');
  return { ...message, ...(origin && { origin }) };
};
const running = async (over: object = bySlash()) => {
  await h.run('ben', 'job run restart', over);
  await change({ state: 'running', attempt: 1, runningAt: h.clock.now(), fence: 1 });
};
const change = async (patch: Partial<JobRow>) => {
  const row = await job(h);
  await h.store.transaction('main', (tx) => tx.update(jobs, row, patch));
};
const act = <T>(work: (tx: Tx, row: JobRow) => Promise<T>): Promise<T> =>
  h.store.transaction('main', async (tx) => {
    const [row] = await tx.find(jobs);
    if (!row) throw new Error('no job');
    return work(tx, row);
  });
const news = (): Promise<boolean> => act(tellNews);
const log = (...lines: string[]) =>
  act((tx, { ref }) =>
    addLines(
      tx,
      ref,
      lines.map((line) => ({ stream: 'out' as const, line, at: tx.now })),
    ),
  );
const end = (text: string) => act((tx, row) => tellEnd(tx, row, text));
/** What went to the conversation about the job: state, text, what it replaces. */
const messages = async () =>
  (await rows(h, outbox, { where: { key: { prefix: 'job:' } }, orderBy: [{ column: 'id' }] })).map(
    ({ state, reply }) => {
      const { reply: said, ...place } = reply as { reply?: { text: string } };
      return { state, ...(said && { text: said.text }), ...place };
    },
  );
/** As the outbox does it. */
const deliver = async (externalId: string) => {
  const queued = await rows(h, outbox, { where: { state: 'queued', key: { prefix: 'job:' } } });
  for (const row of queued)
    await h.store.transaction('main', (tx) =>
      tx.update(outbox, row, { state: 'sent', externalId, reply: {} }),
    );
};

describe('the message about a job', () => {
  const choices = async () => {
    const [last] = await rows(h, outbox, {
      where: { key: { prefix: 'job:' } },
      orderBy: [{ column: 'id', descending: true }],
    });
    if (!last) throw new Error('nothing was told');
    const { reply } = last.reply as { reply: { actions?: { label: string; invocation: object }[] } };
    return reply.actions?.map(({ label, invocation }) => [label, invocation]);
  };
  const log20 = ['Log', { command: 'job.logs', args: { id: 'JOB-1', tail: 20 } }];

  test('lets it be stopped while it runs, and its log be seen', async () => {
    await running();
    h.clock.pass(5 * SECOND);
    await news();
    expect(await choices()).toEqual([['Cancel', { command: 'job.cancel', args: { id: 'JOB-1' } }], log20]);
  });

  test('does not offer to stop what is being undone, which would be refused', async () => {
    await running();
    await change({ phase: 'compensating' });
    h.clock.pass(5 * SECOND);
    await news();
    expect(await choices()).toEqual([log20]);
  });

  test('lets it be tried again once it has failed', async () => {
    await running();
    await change({ state: 'failed' });
    await end('JOB-1 failed: restart');
    expect(await choices()).toEqual([['Retry', { command: 'job.retry', args: { id: 'JOB-1' } }], log20]);
  });

  test('offers another run, to be approved anew, where the first took an approval', async () => {
    await running();
    await change({ state: 'failed', approval: 'APR-1' });
    await end('JOB-1 failed: restart');
    expect(await choices()).toEqual([['Run again', { command: 'job.run', args: { again: 'JOB-1' } }], log20]);
  });

  test('has the log alone once it has succeeded', async () => {
    await running();
    await change({ state: 'succeeded' });
    await end('JOB-1 succeeded: restart');
    expect(await choices()).toEqual([log20]);
  });

  const card = async () => {
    const [last] = await rows(h, outbox, {
      where: { key: { prefix: 'job:' } },
      orderBy: [{ column: 'id', descending: true }],
    });
    return (last?.reply as { reply?: Reply } | undefined)?.reply?.card;
  };
  const startedAt = new Date('2026-03-02T09:00:00Z');
  const started = { label: 'Started', at: '2026-03-02T09:00:00.000Z' };

  test('shows how far it has come, and its last lines letter by letter', async () => {
    await running();
    await change({ startedAt });
    h.clock.pass(5 * SECOND);
    await act((tx, row) => noteProgress(tx, row, { percent: 65, text: 'Building' }));
    await log('zero', 'one', '<two>', 'x'.repeat(2_000), 'three', 'four');
    await news();
    expect(await card()).toEqual({
      title: 'JOB-1 · restart · running',
      exact: `one\n<two>\n${'x'.repeat(299)}…\nthree\nfour`,
      facts: [started],
      body: '▓▓▓▓▓▓░░░░ 65 % Building',
    });
  });

  test('says in its title how it ended, and below why', async () => {
    await running();
    const endedAt = new Date('2026-03-02T09:00:07Z');
    await change({ state: 'failed', startedAt, endedAt });
    await end('JOB-1 failed: restart\nexit code 1');
    expect(await card()).toEqual({
      title: 'JOB-1 · restart · failed',
      facts: [started, { label: 'Ended', at: '2026-03-02T09:00:07.000Z' }],
      body: 'exit code 1',
    });
  });

  test('says what it waits for', async () => {
    await running();
    h.clock.pass(5 * SECOND);
    await news();
    await change({ state: 'waiting', waitFor: { kind: 'approval', approval: 'APR-2' } });
    await act(tellPause);
    expect(await card()).toMatchObject({
      title: 'JOB-1 · restart · waiting',
      body: 'JOB-1 waits for APR-2: restart',
    });
  });

  test('keeps the end of the log where not all of it fits', async () => {
    await running();
    const lines = Array.from({ length: 50 }, (_, i) => `${i} ${'&'.repeat(100)}`);
    await log(...lines);
    const shown = (await h.run('vic', 'job logs JOB-1 --tail 40')).reply.card;
    expect(shown?.title).toBe('JOB-1 · log');
    expect(shown?.exact).toBe(lines.slice(-11).join('\n'));
    expect(shown?.body).toBe('The last 11 of 40 lines; to see others: job logs JOB-1');
    expect((await h.run('vic', 'job logs JOB-1 --tail 2')).reply.card).toEqual({
      title: 'JOB-1 · log',
      exact: lines.slice(-2).join('\n'),
    });
    expect((await h.run('vic', 'job logs JOB-1')).reply.card).toBeUndefined();
  });

  test('says it in words alone where it cannot be changed', async () => {
    await running(byMail('ben'));
    await end('JOB-1 failed: restart');
    expect(await choices()).toBeUndefined();
  });
});

describe('the conversation that asked for a job', () => {
  test('sees one message, changed in place every five seconds, which ends as the end', async () => {
    await running();
    await log('one');
    expect(await news()).toBe(false);
    h.clock.pass(5 * SECOND);
    await act((tx, row) => noteProgress(tx, row, { percent: 40, text: 'Building' }));
    expect(await news()).toBe(true);
    expect(await messages()).toEqual([
      { state: 'queued', text: 'JOB-1 is running: restart · 40 % Building\none' },
    ]);
    await deliver('C1:1.5');
    await log('two', 'three', 'four', 'five', 'six');
    h.clock.pass(5 * SECOND - 1);
    expect(await news()).toBe(false);
    h.clock.pass(1);
    expect(await news()).toBe(true);
    expect((await messages()).at(-1)).toEqual({
      state: 'queued',
      text: 'JOB-1 is running: restart · 40 % Building\ntwo\nthree\nfour\nfive\nsix',
      replaces: 'C1:1.5',
    });
    await deliver('C1:1.5');
    await end('JOB-1 succeeded: restart');
    expect((await messages()).at(-1)).toEqual({
      state: 'queued',
      text: 'JOB-1 succeeded: restart',
      replaces: 'C1:1.5',
    });
  });

  test('is not told what it has not heard yet twice', async () => {
    await running();
    h.clock.pass(5 * SECOND);
    await log('one');
    await news();
    h.clock.pass(5 * SECOND);
    await log('two');
    expect(await news()).toBe(true);
    expect(await messages()).toEqual([{ state: 'queued', text: 'JOB-1 is running: restart\none\ntwo' }]);
    await end('JOB-1 failed: restart');
    expect(await messages()).toEqual([
      { state: 'withdrawn' },
      { state: 'queued', text: 'JOB-1 failed: restart', follows: expect.stringMatching(/:news:/) },
    ]);
  });

  test('keeps its place when an update was still on its way at the end', async () => {
    await running();
    h.clock.pass(5 * SECOND);
    await news();
    await deliver('C1:1.5');
    h.clock.pass(5 * SECOND);
    await news();
    await end('JOB-1 succeeded: restart');
    expect((await messages()).slice(1)).toEqual([
      { state: 'withdrawn', replaces: 'C1:1.5' },
      { state: 'queued', text: 'JOB-1 succeeded: restart', replaces: 'C1:1.5' },
    ]);
  });

  test('gets a new message for a job that is tried again after its end', async () => {
    await running();
    h.clock.pass(5 * SECOND);
    await news();
    await deliver('C1:1.5');
    await end('JOB-1 failed: restart');
    await deliver('C1:1.5');
    await change({ attempt: 2, runningAt: h.clock.now() });
    h.clock.pass(5 * SECOND);
    await news();
    expect((await messages()).at(-1)).toEqual({ state: 'queued', text: 'JOB-1 is running: restart' });
  });

  test('is told that it is queued again between two tries, and that it waits', async () => {
    await running();
    h.clock.pass(5 * SECOND);
    await news();
    await deliver('C1:1.5');
    await act((tx, row) => requeue(tx, row, { reason: 'busy', failure: 'server' }, 1_000));
    expect((await messages()).at(-1)).toEqual({
      state: 'queued',
      text: 'JOB-1 is queued again: restart\nbusy',
      replaces: 'C1:1.5',
    });
    await change({ state: 'waiting', waitFor: { kind: 'approval', approval: 'APR-2' } });
    await act(tellPause);
    expect((await messages()).slice(-2)).toEqual([
      { state: 'withdrawn', replaces: 'C1:1.5' },
      { state: 'queued', text: 'JOB-1 waits for APR-2: restart', replaces: 'C1:1.5' },
    ]);
    await deliver('C1:1.5');
    await change({ state: 'running', runningAt: h.clock.now() });
    h.clock.pass(5 * SECOND);
    expect(await news()).toBe(true);
    expect((await messages()).at(-1)).toMatchObject({
      text: 'JOB-1 is running: restart',
      replaces: 'C1:1.5',
    });
  });

  test.each([
    [{ kind: 'event', event: 'build.done', when: undefined, after: 0 }, 'waits for the event build.done'],
    [{ kind: 'time' }, 'waits until 2026-03-02T09:01:00.000Z'],
  ] as const)('is told what it waits for: %j', async (waitFor, text) => {
    await running();
    h.clock.pass(5 * SECOND);
    await news();
    await change({ state: 'waiting', waitFor, waitUntil: new Date('2026-03-02T09:01:00Z') });
    await act(tellPause);
    expect((await messages()).at(-1)?.text).toBe(`JOB-1 ${text}: restart`);
  });

  test('is not told of a pause where there was no news, or by mail', async () => {
    await running();
    await act((tx, row) => requeue(tx, row, { reason: 'busy' }, 1_000));
    expect(await messages()).toEqual([]);
  });

  test('hears only the end by mail', async () => {
    await running(byMail('ben'));
    h.clock.pass(60 * SECOND);
    await log('one');
    expect(await news()).toBe(false);
    await end('JOB-1 succeeded: restart');
    expect(await messages()).toEqual([{ state: 'queued', text: 'JOB-1 succeeded: restart' }]);
  });
});

describe('where the answer was posted', () => {
  const answered = () => running(onSlack('ben'));

  test('it is the message about the job', async () => {
    await answered();
    expect(await messages()).toEqual([{ state: 'queued', text: 'JOB-1 is queued: restart.' }]);
    await deliver('C1:1.5');
    h.clock.pass(5 * SECOND);
    await news();
    expect((await messages()).at(-1)).toEqual({
      state: 'queued',
      text: 'JOB-1 is running: restart',
      replaces: 'C1:1.5',
    });
    await deliver('C1:1.5');
    await end('JOB-1 succeeded: restart');
    expect((await messages()).at(-1)).toMatchObject({
      text: 'JOB-1 succeeded: restart',
      replaces: 'C1:1.5',
    });
  });

  test('an end that comes before the answer is out follows whatever of it goes out', async () => {
    await answered();
    await act((tx, row) => requeue(tx, row, { reason: 'busy' }, 1_000));
    await end('JOB-1 succeeded: restart');
    const [answer, pause, last] = await messages();
    expect([answer, pause, last]).toEqual([
      { state: 'withdrawn' },
      { state: 'withdrawn', follows: expect.stringMatching(/^job:JOB-1:answer:/) },
      { state: 'queued', text: 'JOB-1 succeeded: restart', follows: expect.stringMatching(/:news:/) },
    ]);
  });

  test('an answer to another conversation, with the same key, is none', async () => {
    await h.run('', 'job run restart --key k', onSlack('ben'));
    await h.run('', 'job run restart --key k', {
      ...onSlack('ben'),
      replyTo: { channel: 'slack', to: 'C2' },
    });
    expect(await messages()).toHaveLength(1);
  });

  test('by mail it stays as it is', async () => {
    await running(byMail('ben'));
    expect(await messages()).toEqual([]);
  });

  test('by mail the end is told of its own', async () => {
    await running(byMail('ben'));
    await end('JOB-1 succeeded: restart');
    expect(await messages()).toEqual([{ state: 'queued', text: 'JOB-1 succeeded: restart' }]);
  });
});

describe('where a job that waits for an approval was asked for', () => {
  const ask = (over: object) => h.run('', 'job run deploy --env staging', over);

  test('the decision takes the place of what said that it waits, and the end that of the decision', async () => {
    await ask(onSlack('ana'));
    expect(await messages()).toMatchObject([{ text: expect.stringContaining('JOB-1 waits for APR-1') }]);
    await deliver('C1:1.5');
    for (const who of ['ben', 'cho']) await h.run(who, 'approve APR-1');
    expect((await messages()).at(-1)).toMatchObject({
      text: expect.stringContaining('APR-1 approved.'),
      replaces: 'C1:1.5',
    });
    await deliver('C1:1.5');
    await end('JOB-1 succeeded: deploy');
    expect((await messages()).at(-1)).toMatchObject({ text: 'JOB-1 succeeded: deploy', replaces: 'C1:1.5' });
  });

  test('a denial does so, too, with its reason and what can be done now', async () => {
    await ask(onSlack('ana'));
    await h.run('ben', 'deny APR-1 --reason "not today"');
    expect(await messages()).toEqual([
      { state: 'withdrawn' },
      { state: 'queued', text: 'APR-1 denied: not today.', follows: expect.stringContaining(':answer:') },
    ]);
    const [, told] = await rows(h, outbox, {
      where: { key: { prefix: 'job:JOB-1' } },
      orderBy: [{ column: 'id' }],
    });
    const reply = (told?.reply as { reply: Reply } | undefined)?.reply;
    expect(reply?.card).toMatchObject({
      title: 'JOB-1 · deploy · cancelled',
      body: 'APR-1 denied: not today.',
    });
    expect(reply?.actions?.map(({ label }) => label)).toEqual(['Run again', 'Log']);
  });

  test('by mail the decision is told of its own', async () => {
    await ask(byMail('ana'));
    await h.run('ben', 'deny APR-1 --reason "not today"');
    expect(await messages()).toEqual([]);
    expect(await rows(h, outbox, { where: { key: 'approval:APR-1:outcome' } })).toHaveLength(1);
  });
});

describe('a job that is tried again', () => {
  const again = async () => {
    await change({ state: 'failed', endedAt: h.clock.now(), ticket: null });
    await end('JOB-1 failed: restart');
  };

  test('says so in the place of its end, which loses its Retry', async () => {
    await running();
    await again();
    await deliver('C1:1.5');
    await h.run('ben', 'job retry JOB-1');
    const [last] = await rows(h, outbox, {
      where: { key: { prefix: 'job:' } },
      orderBy: [{ column: 'id', descending: true }],
    });
    expect(last?.reply).toMatchObject({
      replaces: 'C1:1.5',
      reply: {
        text: 'JOB-1 is queued again: restart',
        actions: [{ label: 'Cancel' }, { label: 'Log' }],
      },
    });
  });

  test('says nothing where its end was never told', async () => {
    await running(byMail('ben'));
    await again();
    await h.run('ben', 'job retry JOB-1');
    expect((await messages()).map(({ text }) => text)).toEqual(['JOB-1 failed: restart']);
  });
});

describe('progress', () => {
  const note = (progress: Parameters<typeof noteProgress>[2]) =>
    act((tx, row) => noteProgress(tx, row, progress));

  test('is in the row and the log, and not in the journal', async () => {
    await running();
    const before = (await events(h, /./)).length;
    await note({ percent: 40.6, text: '  Building\nthe image ' });
    await note({ percent: 40.6, text: 'Building the image' });
    await note({ percent: 60 });
    expect((await rows(h, jobLogs)).map(({ stream, line }) => `${stream} ${line}`)).toEqual([
      'progress 40 % Building the image',
      'progress 60 %',
    ]);
    const shown = await h.run('vic', 'job show JOB-1');
    expect(shown.reply).toMatchObject({
      text: 'JOB-1 [running] restart · ben · try 1, 1 left · 60 %',
      data: { progress: { percent: 60 } },
    });
    expect(await events(h, /./)).toHaveLength(before);
  });

  test('stays within bounds, whatever a program says', async () => {
    await running();
    await note({ percent: 900, text: 'x'.repeat(2_000) });
    expect((await job(h)).progress).toEqual({ percent: 100, text: `${'x'.repeat(499)}…` });
    await note({ percent: -5, text: `key ${['gh', 'p_', 'z'.repeat(36)].join('')}` });
    expect((await job(h)).progress).toEqual({ percent: 0, text: 'key [redacted]' });
    await note({ percent: Number.NaN });
    expect((await job(h)).progress).toEqual({});
  });
});
