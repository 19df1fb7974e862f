import { describe, expect, test } from 'vitest';
import { CONTEXT, language, readArgsJson, readText, refusal } from './fixtures.ts';

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

describe('the JSON form', () => {
  test.each(['task.create', 'task create', 'Task.Create'])('knows the command %s', async (name) => {
    expect((await readArgsJson(name, { title: 'x' })).invocation.command).toBe('task.create');
  });

  test('settles values as the pattern form does', async () => {
    const given = { title: 'x', priority: 'p0', owner: '@ana', dependsOn: ['tsk-1'], due: '2026-11-20' };
    expect((await readArgsJson('task.create', given)).invocation.args).toEqual({
      title: 'x',
      priority: 'P0',
      owner: 'ana',
      dependsOn: ['TSK-1'],
      due: '2026-11-20T23:59:59.000Z',
    });
    expect((await readArgsJson('probe.run', { name: 'api', timeout: '5m' })).args['timeout']).toBe(300_000);
  });

  test('takes no arguments as none, and leaves out what is undefined', async () => {
    expect((await readArgsJson('task.list', undefined)).invocation.args).toEqual({});
    expect((await readArgsJson('task.list', { owner: undefined })).invocation.args).toEqual({});
  });

  test.each([
    ['task.create', { title: 'x', prioritty: 'P0' }, 'has no argument prioritty; did you mean priority?'],
    ['job.run', { runbook: 'x', env: 'prod' }, 'job run has no argument env'],
    ['task.create', { title: 5 }, 'title: expected text, got 5.'],
    ['task.list', { limit: '5' }, 'limit: expected a number, got "5".'],
    ['task.list', { all: 'true' }, 'all: expected true or false, got "true".'],
    ['task.create', { title: 'x', labels: 'a' }, 'labels: expected a list, got "a".'],
    ['task.create', { title: 'x', labels: [1] }, 'labels.0: expected text, got 1.'],
    ['task.create', { title: null }, 'title: expected text, got null.'],
    ['task.create', [], 'args: expected an object.'],
    ['task.create', 'x', 'args: expected an object.'],
    ['task.create', { title: 'a\u0000b' }, 'control characters'],
    ['task.create', { title: '\ud800' }, 'not well-formed Unicode'],
    ['job.run', { runbook: 'x', args: JSON.parse('{"__proto__":{"a":1}}') as unknown }, 'the key __proto__'],
    ['task.list', { limit: Number.NaN }, 'a number that JSON does not have'],
    ['task.create', JSON.parse('{"title":"x","__proto__":1}') as unknown, 'has no argument __proto__'],
  ])('%s %j is refused', async (name, args, message) => {
    const error = await refusal(readArgsJson(name, args));
    expect(error.code).toBe('invalid_argument');
    expect(error.message).toContain(message);
  });

  test('depth is bounded', async () => {
    for (const depth of [50, 100_000]) {
      const error = await refusal(readArgsJson('task.edit', { id: 'TSK-1', extra: nested(depth) }));
      expect(error.message).toContain('nested deeper than 32 levels');
    }
  });

  test('an unknown command gets the nearest', async () => {
    expect(await refusal(readArgsJson('task.craete', {}))).toMatchObject({
      code: 'unknown_command',
      suggestions: ['task create'],
    });
    expect((await refusal(readArgsJson('', {}))).code).toBe('unknown_command');
    expect((await refusal(readArgsJson('x'.repeat(100_000), {}))).message.length).toBeLessThan(300);
  });

  test('is read from a text that begins with {', async () => {
    const reading = await readText(' {"command":"task.create","args":{"title":"x"}}\n');
    expect(reading.invocation).toEqual({ command: 'task.create', args: { title: 'x' } });
    expect(reading.sure).toBe(true);
  });

  test.each([
    '{',
    '{"command":5}',
    '{"args":{}}',
    '{"command":"status","extra":1}',
    '{} {}',
    '{"command":"status"',
  ])('%s is malformed', async (text) => {
    expect((await refusal(language.read({ text }, CONTEXT))).code).toBe('malformed');
  });
});
