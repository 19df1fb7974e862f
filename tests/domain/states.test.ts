import { describe, expect, test } from 'vitest';
import { runbookOf, type Catalog } from '../../src/domain/catalog.ts';
import { asRefusal, Refusal, STATUS } from '../../src/domain/errors.ts';
import { checkStep, isOver, JOB_STATES, type JobState } from '../../src/domain/job.ts';
import { canonical, digest } from '../../src/domain/json.ts';
import { assess, type Probe } from '../../src/domain/probe.ts';
import { checkMove, TASK_STATES, type TaskState } from '../../src/domain/task.ts';

const allowed = <S extends string>(states: readonly S[], check: (from: S, to: S) => void) =>
  states.flatMap((from) =>
    states.flatMap((to) => {
      try {
        check(from, to);
        return `${from} ${to}`;
      } catch (error) {
        expect(error).toMatchObject({ code: 'conflict' });
        return [];
      }
    }),
  );

test('the steps of a job are these and no others', () => {
  expect(allowed<JobState>(JOB_STATES, (from, to) => checkStep('JOB-1', from, to))).toEqual([
    'waiting queued',
    'waiting cancelled',
    'queued assigned',
    'queued cancelled',
    'assigned queued',
    'assigned running',
    'assigned failed',
    'assigned cancelled',
    'running waiting',
    'running queued',
    'running succeeded',
    'running failed',
    'running cancelled',
    'failed queued',
    'cancelled queued',
  ]);
  expect(JOB_STATES.filter(isOver)).toEqual(['succeeded', 'failed', 'cancelled']);
});

test('the moves of a task are these and no others; blocked is entered and left by its own verbs', () => {
  expect(allowed<TaskState>(TASK_STATES, checkMove)).toEqual([
    'queued claimed',
    'queued in_progress',
    'claimed queued',
    'claimed in_progress',
    'in_progress queued',
    'in_progress claimed',
    'in_progress review',
    'review in_progress',
    'review approved',
    'approved review',
    'approved merging',
    'approved done',
    'merging review',
    'merging done',
    'done queued',
  ]);
});

describe('canonical JSON', () => {
  test('is one form for one value', () => {
    expect(canonical({ b: 1, a: [true, null, 'é', 1e21] })).toBe('{"a":[true,null,"é",1e+21],"b":1}');
    expect(digest({ a: 1, b: 2 })).toBe(digest({ b: 2, a: 1 }));
    expect(digest({ a: undefined, b: 2 })).toBe(digest({ b: 2 }));
    expect(digest({ a: 1 })).not.toBe(digest({ a: '1' }));
  });

  test.each([
    ['a lone surrogate', 'x\ud800'],
    ['NaN', Number.NaN],
    ['infinity', Infinity],
    ['nothing', undefined],
  ])('refuses %s', (_, value) => {
    expect(() => canonical(value)).toThrow(Refusal);
    if (value !== undefined) expect(() => digest({ deep: [value] })).toThrow(/well-formed/);
  });
});

describe('what a probe expects', () => {
  const expected: Probe['expect'] = {
    status: [200, 204],
    headers: { 'Content-Type': '^application/json', Server: null },
    latency: 100,
  };
  const seen = { status: 200, headers: { 'content-type': 'Application/JSON; charset=utf-8' }, latency: 100 };

  test('as it should be', () => {
    expect(assess(expected, seen)).toEqual([]);
  });

  test('one line for each thing that is not', () => {
    const headers = { 'content-type': 'text/html', server: 'x' };
    expect(assess(expected, { status: 500, headers, latency: 100.6 })).toEqual([
      'status: expected 200 or 204, got 500',
      'header Content-Type: expected /^application/json/, got "text/html"',
      'header Server: expected none, got "x"',
      'latency: expected at most 100 ms, got 101 ms',
    ]);
    expect(assess(expected, { ...seen, headers: {} })).toEqual([
      'header Content-Type: expected /^application/json/, got none',
    ]);
    expect(assess({ ...expected, latency: undefined }, { ...seen, latency: 1e9 })).toEqual([]);
  });
});

test('a job’s runbook is found by name, a probe’s too, and nothing else is', () => {
  const probe = { name: 'api', summary: 'The API', timeout: 500 } as Probe;
  const catalog = { runbooks: new Map([['deploy', { name: 'deploy' }]]), probes: new Map([['api', probe]]) };
  const find = (name: string) => runbookOf(catalog as unknown as Catalog, name);
  expect(find('deploy')?.name).toBe('deploy');
  expect(find('probe:api')).toMatchObject({ executor: { kind: 'probe', probe: 'api' }, tries: { max: 1 } });
  expect([find('api'), find('probe:'), find('probe:x'), find('probe:deploy')]).toEqual(
    Array(4).fill(undefined),
  );
});

test('what a caller sees of an error is a refusal or nothing of it', () => {
  const refusal = new Refusal('conflict', 'No.');
  expect(asRefusal(refusal)).toBe(refusal);
  const hidden = asRefusal(new Error('password=hunter2'));
  expect(hidden).toMatchObject({ code: 'internal' });
  expect(hidden.message).not.toContain('hunter2');
  expect(new Set(Object.values(STATUS))).toEqual(
    new Set([400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 426, 428, 429, 500, 503]),
  );
});
