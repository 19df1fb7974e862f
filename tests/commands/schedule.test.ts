import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { scheduleCommands } from '../../commands/schedule/index.ts';
import type { Answer, Inbound } from '../../src/core/message.ts';
import type { Json } from '../../src/domain/json.ts';
import { schedules } from '../../src/domain/schedule.ts';
import { events, identity, onSlack, rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
  await h.run('ana', 'role add planner schedule:* job:* task:*');
  await h.run('ana', 'person add pia --roles planner');
});
afterEach(() => h.close());

const run = (text: string, who = 'ana', over: Partial<Inbound> = {}): Promise<Answer> =>
  h.run(who, text, over);
const code = (answer: Answer) => answer.error?.code;
const data = (answer: Answer) => answer.reply.data as Record<string, Json>;
const nightly = 'schedule add nightly "job run restart" --cron "0 3 * * *" --zone Europe/Berlin';

describe('schedule add', () => {
  test('keeps what is to run, and as whom', async () => {
    const answer = await run(nightly);
    expect(answer.reply.text).toBe(
      'SCH-1 runs job run restart, first at 2026-03-03 03:00:00 (Europe/Berlin).',
    );
    expect(data(answer)).toMatchObject({
      id: 'SCH-1',
      name: 'nightly',
      run: { command: 'job.run', args: { runbook: 'restart' } },
      cron: '0 3 * * *',
      zone: 'Europe/Berlin',
      missed: 'skip',
      nextAt: '2026-03-03T02:00:00.000Z',
      createdBy: 'ana',
    });
    expect(await events(h, /^schedule\./)).toMatchObject([
      { event: 'schedule.created', target: 'SCH-1', actor: 'ana' },
    ]);
  });

  test('shows the command as it was typed: words for times in it are read anew each time', async () => {
    const answer = await run('schedule add weekly "task create Plan --due friday" --cron "0 9 * * 1"');
    expect(answer.reply.text).toMatch(/^SCH-1 runs task create Plan --due friday, first at /);
  });

  test.each([
    ['"job run restrat"', 'There is no runbook restrat. Did you mean restart?'],
    ['"job run deploy --env moon"', 'env: expected'],
    ['"job run"', 'job run needs runbook'],
  ])('refuses %s at once, which would fail each time', async (text, message) => {
    const answer = await run(`schedule add x ${text} --cron "@daily"`);
    expect(answer.reply.text).toContain(message);
    expect(await rows(h, schedules)).toEqual([]);
  });

  test('refuses the name of a place, which would mean nothing each time, whoever says it now', async () => {
    const over = { places: new Map([['#ops', 'slack:C7']]) };
    const again = (to: string) =>
      run(`schedule add x "subscribe job.failed --to ${to}" --cron "@daily"`, 'ana', over);
    const answer = await again('#ops');
    expect(answer.reply.text).toContain('#ops is only a name here');
    expect(code(answer)).toBe('invalid_argument');
    expect((await again('slack:C7')).status).toBe('ok');
  });

  test.each([null, 0, true, [], {}, { command: 5 }, { text: 5 }, { text: 'task list' }])(
    'refuses %j in the place of a command',
    async (value) => {
      const args = { name: 'nightly', cron: '0 3 * * *', run: value };
      const body = { command: 'schedule.add', args };
      const answer = await h.run('ana', body);
      expect(answer).toMatchObject({ error: { code: 'invalid_argument' } });
      expect(answer.reply.text).toContain('run: expected a command in quotes');
    },
  );

  test('takes the JSON form, and a single time', async () => {
    const json = {
      name: 'once',
      run: { command: 'job.run', args: { runbook: 'restart' } },
      at: '2026-03-05T08:00:00Z',
    };
    const answer = await h.run('ana', { command: 'schedule.add', args: json });
    expect(data(answer)).toMatchObject({
      cron: null,
      text: null,
      missed: 'one',
      nextAt: '2026-03-05T08:00:00.000Z',
    });
  });

  test('remembers where it was asked for, without what ends with the reply', async () => {
    await h.run('ben', 'schedule add x "job list" --cron "@daily"', onSlack('ben'));
    await run('role add planner2 schedule:* job:read');
    await h.run('ana', 'schedule add x "job list" --cron "@daily"', {
      ...onSlack('ana'),
      replyTo: {
        channel: 'slack',
        to: 'C1',
        thread: '1.2',
        context: { response_url: 'https://slack.example.test' },
      },
    });
    const [row] = await rows(h, schedules);
    expect(row?.replyTo).toEqual({ channel: 'slack', to: 'C1', thread: '1.2' });
  });

  test.each([
    ['schedule add x "job run restart"', 'Say when: --cron "0 3 * * *" for again and again, or --at'],
    ['schedule add x "job run restart" --cron "@daily" --at 2027-01-01', 'Say when'],
    ['schedule add x "job run restart" --cron "0 25 * * *"', 'cron: expected five fields'],
    ['schedule add x "job run restart" --cron "* * * * * *"', 'at least 10 s'],
    ['schedule add x "job run restart" --cron "@daily" --zone Mars', 'zone: expected a time zone'],
    [
      'schedule add x "job run restart" --at 2026-03-02T08:00',
      'at: expected a time to come, got 2026-03-02 08:00:00 UTC',
    ],
    ['schedule add x "job run restart" --at 2027-01-01 --zone UTC', 'zone is for cron'],
    ['schedule add x "job run restart" --cron "@daily" --missed some', 'missed: expected skip, one or all'],
    ['schedule add x "jbo run restart" --cron "@daily"', 'run: There is no command "jbo run"'],
    ['schedule add x "job run" --cron "@daily" --frob', 'has no argument --frob'],
    [
      'schedule add x "please run the restart job" --cron "@daily"',
      'run: write it as a command: job run restart',
    ],
    [
      'schedule add x "approve APR-1" --cron "@daily"',
      'approval approve is for people to run there and then',
    ],
    ['schedule add x "schedule list" --cron "@daily"', 'is for people to run there and then'],
    ['schedule add x "job run restart --token hunter2" --cron "@daily"', 'args.token looks like a secret'],
    ['schedule add Bad "job list" --cron "@daily"', 'name: expected lower-case letters'],
    // `schedule remove sch-2` would remove SCH-2, which may be somebody else's.
    ['schedule add sch-2 "job list" --cron "@daily"', 'name: expected one that is not like an id'],
    ['schedule add x "breaker reset a.test" --cron "@daily"', 'is for people to run there and then'],
    // Nobody would hear of it before it first comes to run, which may be at night.
    ['schedule add x "job run deploy --env mars" --cron "@daily"', 'env: expected staging or production'],
    ['schedule add x "job run --preset night" --cron "@daily"', 'There is no preset night'],
    ['schedule add x "job run restrat" --cron "@daily"', 'Did you mean restart?'],
    ['schedule add x "probe run apj" --cron "@daily"', 'Did you mean api?'],
  ])('refuses %s', async (text, message) => {
    const answer = await run(text);
    expect(['invalid_argument', 'not_found']).toContain(code(answer));
    expect(answer.reply.text).toContain(message);
    expect(await rows(h, schedules)).toEqual([]);
    expect(JSON.stringify(await h.entries())).not.toContain('hunter2');
  });

  test('only what its author may run', async () => {
    expect(await run(nightly, 'pia')).toMatchObject({
      error: { code: 'forbidden' },
      reply: { text: 'You may not run schedule add: job run needs the permission runbook:restart.' },
    });
    expect(code(await run(nightly, 'vic'))).toBe('forbidden');
    expect((await run('schedule add x "job list" --cron "@daily"', 'pia')).status).toBe('ok');
  });

  test('a name once', async () => {
    await run(nightly);
    expect(await run(nightly)).toMatchObject({ error: { code: 'conflict' } });
  });

  test('500 at most', async () => {
    await run(nightly);
    const [first] = await rows(h, schedules);
    if (!first) throw new Error('no schedule');
    const { version: _, ...one } = first;
    await h.store.transaction('main', async (tx) => {
      for (let n = 0; n < 498; n += 1)
        await tx.insert(schedules, { ...one, id: tx.id(), ref: `SCH-X${n}`, name: `x${n}` });
    });
    expect((await run('schedule add last "job list" --cron "@daily"')).status).toBe('ok');
    expect((await run('schedule add more "job list" --cron "@daily"')).reply.text).toContain(
      'There are 500 schedules, which is the most',
    );
  });

  test('the key that it was written with', async () => {
    const made = await run('key create laptop');
    const { id } = data(made) as { id: string };
    await run(nightly, 'ana', { from: identity('key', id) });
    expect(await rows(h, schedules)).toMatchObject([{ key: id, createdBy: 'ana' }]);
  });
});

test('list and show tell what runs and when, five times ahead', async () => {
  await run(nightly);
  expect((await run('schedule list', 'pia')).reply.text).toBe(
    'SCH-1 nightly [0 3 * * * Europe/Berlin] job run restart · next 2026-03-03 03:00:00 (Europe/Berlin)',
  );
  const shown = await run('schedule show nightly', 'pia');
  expect(data(shown)['next']).toEqual([3, 4, 5, 6, 7].map((day) => `2026-03-0${day}T02:00:00.000Z`));
  expect(shown.reply.text.split('\n').at(-1)).toBe('  2026-03-07 03:00:00 (Europe/Berlin)');
  expect((await run('schedule show nihgtly')).reply.text).toContain('Did you mean nightly?');
  expect(code(await run('schedule list', 'ben'))).toBe('forbidden');
});

test('pause, resume and remove', async () => {
  await run(nightly);
  expect((await run('schedule pause nightly')).reply.text).toBe('SCH-1 (nightly) is paused.');
  expect(code(await run('schedule pause SCH-1'))).toBe('conflict');
  expect((await run('schedule list')).reply.text).toContain('· paused');
  expect(data(await run('schedule show SCH-1'))['next']).toEqual([]);
  h.clock.pass(10 * 24 * 3_600_000);
  // What passed meanwhile is not made up for.
  expect(data(await run('schedule resume nightly'))).toMatchObject({ nextAt: '2026-03-13T02:00:00.000Z' });
  expect(code(await run('schedule resume nightly'))).toBe('conflict');
  expect((await run('schedule remove nightly')).reply.text).toBe('Removed SCH-1 (nightly).');
  expect(code(await run('schedule remove nightly'))).toBe('not_found');
  expect((await events(h, /^schedule\./)).map((e) => e.event)).toEqual([
    'schedule.created',
    'schedule.paused',
    'schedule.resumed',
    'schedule.removed',
  ]);
});

test('a single time that is over cannot be resumed', async () => {
  await run('schedule add once "job list" --at 2026-03-05');
  await run('schedule pause once');
  h.clock.pass(10 * 24 * 3_600_000);
  expect(code(await run('schedule resume once'))).toBe('conflict');
});

describe('every example', () => {
  const cases = scheduleCommands.flatMap(({ examples }) =>
    examples.map((example) => [example.text, example] as const),
  );
  test.each(cases)('%s', async (typed, { json }) => {
    const context = { now: h.clock.now(), who: 'ana' };
    expect((await h.language.read({ text: typed }, context)).invocation).toEqual(json);
    expect((await h.language.read({ text: h.language.format(json) }, context)).invocation).toEqual(json);
    await run('schedule add one "job list" --cron "@daily"');
    await run('schedule add two "job list" --cron "@daily"');
    await run('schedule pause two');
    expect(await run(typed)).toMatchObject({ status: 'ok' });
  });
});
