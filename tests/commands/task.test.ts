import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/message.ts';
import { etagOf } from '../../src/domain/etag.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { dependencies, tasks } from '../../src/domain/task.ts';
import type { Harness } from '../support/harness.ts';
import { seeded } from './seed.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await seeded();
});
afterEach(() => harness.close());

const run = (text: string, who = 'ana'): Promise<Answer> => harness.run(who, text);
const data = (answer: Answer): Record<string, Json> => answer.reply.data as Record<string, Json>;
const items = (answer: Answer): JsonObject[] => data(answer)['items'] as unknown as JsonObject[];
const ids = (answer: Answer): Json[] => items(answer).map((item) => item['id'] ?? null);

/** The last entry of an event. */
async function last(event: string) {
  return (await harness.entries()).findLast((entry) => entry.event === event);
}

describe('task create', () => {
  test('opens a task and journals it with its author', async () => {
    const answer = await run(
      'task create "Fix login" --priority P0 --owner ana --labels ops --labels ops --due 2026-12-01',
    );
    expect(data(answer)).toMatchObject({
      id: 'TSK-5',
      version: 1,
      state: 'queued',
      priority: 'P0',
      owner: 'ana',
      labels: ['ops'],
      due: '2026-12-01T23:59:59.000Z',
      createdBy: 'ana',
      createdAt: '2026-03-02T09:00:00.000Z',
    });
    expect(await last('task.created')).toMatchObject({
      actor: 'ana',
      target: 'TSK-5',
      details: { title: 'Fix login' },
    });
  });

  test.each([
    ['an empty title', { title: '   ' }],
    ['a title of 201 characters', { title: 'x'.repeat(201) }],
    ['a title of two lines', { title: 'a\nb' }],
    ['a description of 10,001 characters', { title: 'a', description: 'x'.repeat(10_001) }],
    ['an unknown priority', { title: 'a', priority: 'P9' }],
    ['no date', { title: 'a', due: 'someday' }],
    ['an unknown field', { title: 'a', colour: 'red' }],
  ])('refuses %s and writes nothing', async (_, args) => {
    const before = (await harness.entries()).length;
    const answer = await harness.run('ana', { command: 'task.create', args });
    expect(answer).toMatchObject({ status: 'error', error: { code: 'invalid_argument' } });
    expect((await harness.entries()).length).toBe(before);
  });

  test('names the nearest people for an unknown owner', async () => {
    const answer = await run('task create x --owner anna');
    expect(answer.error?.code).toBe('not_found');
    expect(answer.reply.text).toContain('Did you mean ana?');
  });

  test('is refused to a viewer, and that is journalled', async () => {
    expect(await run('task create x', 'vic')).toMatchObject({
      status: 'error',
      error: { code: 'forbidden' },
    });
    expect(await last('command.denied')).toMatchObject({ actor: 'vic', target: 'task.create' });
  });
});

describe('task list', () => {
  test('gives open tasks by priority, then age, a page at a time', async () => {
    for (const priority of ['P1', 'P0', 'P1']) await run(`task create ${priority} --priority ${priority}`);
    await run('task create over');
    for (const to of ['in_progress', 'review', 'approved', 'done']) await run(`task move TSK-8 ${to}`);
    expect(ids(await run('task list'))).toEqual([
      'TSK-6',
      'TSK-5',
      'TSK-7',
      'TSK-1',
      'TSK-2',
      'TSK-3',
      'TSK-4',
    ]);
    expect(ids(await run('task list --state done'))).toEqual(['TSK-8']);

    const seen: Json[] = [];
    for (let after = ''; ; ) {
      const page = await run(`task list --limit 2${after}`);
      seen.push(...ids(page));
      const next = data(page)['next'];
      if (typeof next !== 'string') break;
      after = ` --after ${next}`;
    }
    expect(seen).toEqual(['TSK-6', 'TSK-5', 'TSK-7', 'TSK-1', 'TSK-2', 'TSK-3', 'TSK-4']);
  });

  test('filters by owner, priority, label and text', async () => {
    await run('task create "Water the PLANTS" --owner ben --labels home --priority P1');
    await run('task create "Feed the cat" --owner ana --labels home');
    expect(ids(await run('task list --owner ben'))).toEqual(['TSK-5']);
    expect(ids(await run('task list --owner me'))).toEqual(['TSK-6']);
    expect(ids(await run('task list --priority P1'))).toEqual(['TSK-5']);
    expect(ids(await run('task list --label home'))).toEqual(['TSK-5', 'TSK-6']);
    expect(ids(await run('task list --label home --limit 1'))).toEqual(['TSK-5']);
    expect(ids(await run('task list --text plants'))).toEqual(['TSK-5']);
    expect((await run('task list --text nothing')).reply.text).toBe('No such tasks.');
  });

  test('a rare label among many is found over several pages, each bounded', async () => {
    await harness.store.transaction('main', async (tx) => {
      for (let i = 0; i < 2_500; i += 1) {
        await tx.insert(tasks, {
          id: tx.id(),
          ref: `OLD-${i}`,
          title: `task ${i}`,
          description: '',
          state: 'queued',
          blockedFrom: null,
          blockedReason: null,
          priority: 'P2',
          owner: null,
          labels: i === 2_400 ? ['rare'] : [],
          checklist: [],
          due: null,
          createdBy: 'ana',
          createdAt: tx.now,
          updatedAt: tx.now,
          archived: false,
        });
      }
    });
    const first = await run('task list --label rare');
    expect(ids(first)).toEqual([]);
    const next = data(first)['next'];
    expect(next).toEqual(expect.any(String));
    expect(ids(await run(`task list --label rare --after ${next as string}`))).toEqual(['OLD-2400']);
  });

  test('refuses a cursor of its own making', async () => {
    expect((await run('task list --after banana')).error?.code).toBe('invalid_argument');
  });
});

describe('task move', () => {
  test('goes along the line and nowhere else', async () => {
    expect((await run('task move TSK-1 done')).reply.text).toContain(
      'from queued it can go to claimed, in_progress',
    );
    expect(await run('task move tsk-1 IN_PROGRESS')).toMatchObject({ status: 'ok' });
    expect(await last('task.moved')).toMatchObject({
      target: 'TSK-1',
      details: { from: 'queued', to: 'in_progress' },
    });
  });

  test('a claim without an owner is the mover’s', async () => {
    expect(data(await run('task move TSK-1 claimed', 'ben'))).toMatchObject({
      state: 'claimed',
      owner: 'ben',
    });
  });

  test('waits for what it depends on', async () => {
    expect((await run('task move TSK-3 in_progress')).reply.text).toContain('TSK-2 (queued)');
    expect((await run('task move TSK-3 claimed')).status).toBe('ok');
    await run('task check TSK-2 1');
    for (const to of ['in_progress', 'review', 'approved', 'done'])
      expect((await run(`task move TSK-2 ${to}`)).status).toBe('ok');
    expect((await run('task move TSK-3 in_progress')).status).toBe('ok');
  });

  test('is not done while the checklist is open', async () => {
    for (const to of ['in_progress', 'review', 'approved']) await run(`task move TSK-2 ${to}`);
    const refused = await run('task move TSK-2 done');
    expect(refused.reply.text).toContain('1. collect questions');
    expect(refused.error?.suggestions).toEqual(['task check TSK-2 1']);
  });
});

describe('task block', () => {
  test('stops a task and lets it go on where it was', async () => {
    await run('task move TSK-1 in_progress');
    expect(data(await run('task block TSK-1 vendor'))).toMatchObject({
      state: 'blocked',
      blockedFrom: 'in_progress',
    });
    expect((await run('task move TSK-1 review')).reply.text).toContain('task unblock');
    expect((await run('task block TSK-1 again')).error?.code).toBe('conflict');
    expect(data(await run('task unblock TSK-1'))).toMatchObject({
      state: 'in_progress',
      blockedReason: null,
    });
    expect((await run('task unblock TSK-1')).error?.code).toBe('conflict');
  });
});

describe('task depend', () => {
  test('refuses itself, a repeat, a stranger and any circle', async () => {
    expect((await run('task depend TSK-1 TSK-1')).reply.text).toContain('itself');
    expect((await run('task depend TSK-3 TSK-2')).reply.text).toContain('already waits');
    expect((await run('task depend TSK-1 TSK-99')).error?.code).toBe('not_found');
    expect((await run('task depend TSK-2 TSK-3')).reply.text).toContain('circle');
    await run('task depend TSK-2 TSK-1');
    expect((await run('task depend TSK-1 TSK-3')).reply.text).toContain('circle');
    expect((await run('task depend TSK-3 TSK-2 --remove')).status).toBe('ok');
    expect((await run('task depend TSK-1 TSK-3')).status).toBe('ok');
  });

  test('walks a long chain in few queries and finds the circle at its end', async () => {
    await harness.store.transaction('main', async (tx) => {
      for (let i = 0; i < 300; i += 1)
        await tx.insert(dependencies, {
          id: tx.id(),
          task: i === 0 ? 'TSK-1' : `C-${i}`,
          dependsOn: `C-${i + 1}`,
        });
      await tx.insert(dependencies, { id: tx.id(), task: 'C-300', dependsOn: 'TSK-4' });
    });
    expect((await run('task depend TSK-4 TSK-1')).reply.text).toContain('circle');
  });

  test('a task’s new version refuses what was decided on the old links', async () => {
    const before = data(await run('task show TSK-1'));
    expect(data(await run('task depend TSK-1 TSK-2'))['version']).toBe(Number(before['version']) + 1);
  });
});

describe('task edit', () => {
  test('changes what is named and journals from and to', async () => {
    const answer = await run('task edit TSK-1 --title "Fix it" --labels a --due 2026-12-24');
    expect(data(answer)).toMatchObject({
      title: 'Fix it',
      labels: ['a'],
      due: '2026-12-24T23:59:59.000Z',
      version: 2,
    });
    expect((await last('task.edited'))?.details).toMatchObject({
      from: { title: 'Fix login' },
      to: { title: 'Fix it' },
    });
    const cleared = await harness.run('ana', {
      command: 'task.edit',
      args: { id: 'TSK-1', due: null, labels: [] },
    });
    expect(data(cleared)).toMatchObject({ due: null, labels: [], title: 'Fix it' });
  });

  test('refuses an empty change', async () => {
    expect((await run('task edit TSK-1')).error?.code).toBe('invalid_argument');
  });

  test('holds to If-Match, whose tag is that of what show gives', async () => {
    const tag = etagOf((await run('task show TSK-1')).reply.data ?? null);
    const edit = (title: string, ifMatch: string) =>
      harness.run('ana', { command: 'task.edit', args: { id: 'TSK-1', title } }, { ifMatch });
    const first = await edit('one', tag);
    expect(first.status).toBe('ok');
    expect((await edit('two', tag)).error?.code).toBe('stale');
    const current = etagOf(first.reply.data ?? null);
    expect((await edit('weak', `W/${current}`)).error).toMatchObject({ code: 'stale' });
    expect((await edit('two', `"other", ${current}`)).status).toBe('ok');
    expect((await edit('three', '*')).status).toBe('ok');
    expect((await edit('four', `W/${tag}`)).error?.code).toBe('stale');
  });
});

describe('task assign, check, comment, show', () => {
  test('gives a task to a person or agent, and back', async () => {
    expect(data(await run('task assign TSK-1 bot'))['owner']).toBe('bot');
    expect((await last('task.assigned'))?.details).toEqual({ from: null, to: 'bot' });
    expect(data(await run('task assign TSK-1 --clear'))['owner']).toBeNull();
    expect((await run('task assign TSK-1')).error?.code).toBe('invalid_argument');
    expect((await run('task assign TSK-1 ana --clear')).error?.code).toBe('invalid_argument');
    expect((await run('task assign TSK-1 nobody-here')).error?.code).toBe('not_found');
  });

  test('ticks, unticks and adds', async () => {
    await run('task check TSK-1 --add "write test"');
    expect(data(await run('task check TSK-1 1'))['checklist']).toEqual([{ text: 'write test', done: true }]);
    expect(data(await run('task check TSK-1 1 --undo'))['checklist']).toEqual([
      { text: 'write test', done: false },
    ]);
    expect((await run('task check TSK-1 2')).error?.code).toBe('invalid_argument');
    expect((await run('task check TSK-1')).error?.code).toBe('invalid_argument');
  });

  test('shows links and comments in words, and as data on request', async () => {
    await run('task comment TSK-3 "soon"', 'ben');
    const words = await run('task show TSK-3');
    expect(words.reply.text).toContain('waits for TSK-2');
    expect(words.reply.text).toContain('ben: soon');
    expect(data(await run('task show TSK-3 --full'))).toMatchObject({
      task: { id: 'TSK-3' },
      dependsOn: ['TSK-2'],
      neededBy: [],
      comments: [{ author: 'ben', body: 'soon' }],
    });
    expect((await run('task show TSK-2')).reply.text).toContain('needed by TSK-3');
    expect((await run('task show TSK-99')).error?.code).toBe('not_found');
  });
});
