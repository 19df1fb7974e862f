import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { commands } from '../../commands/index.ts';
import { command } from '../../src/core/command.ts';
import { createCommandSet } from '../../src/core/command-set.ts';
import { formOf, readForm, type Form, type FormValue } from '../../src/core/form.ts';
import { createLanguage } from '../../src/core/language/index.ts';

const set = createCommandSet(commands);
const language = createLanguage(set);
const CONTEXT = { now: new Date('2026-03-02T09:00:00.000Z'), who: 'ana' };

const found = (name: string) => {
  const one = set.find(name);
  if (!one) throw new Error(`no ${name}`);
  return one;
};
const field = (form: Form, name: string) => form.fields.find((one) => one.name === name);
/** What comes back of a form that nobody touched. */
const untouched = ({ fields }: Form): Record<string, FormValue | undefined> =>
  Object.fromEntries(fields.map(({ name, initial }) => [name, initial]));

describe('a form', () => {
  test('asks for all that a command takes, in words of its schema', () => {
    const form = formOf(found('task.create'));
    expect(form).toMatchObject({ title: 'Task create', submit: 'Create', given: {} });
    expect(form.fields.map(({ name, type, required }) => [name, type, required])).toEqual([
      ['title', 'line', true],
      ['description', 'text', false],
      ['priority', 'choice', false],
      ['owner', 'line', false],
      ['labels', 'list', false],
      ['due', 'instant', false],
    ]);
    expect(field(form, 'title')).toMatchObject({
      label: 'Title',
      hint: 'What is to be done, in one line',
      maxLength: 200,
      initial: undefined,
    });
    expect(field(form, 'priority')).toMatchObject({ choices: ['P0', 'P1', 'P2'], initial: 'P2' });
    expect(field(form, 'labels')?.hint).toBe('Labels to find it by; one a line');
  });

  test('shows what is known where it asks for everything', () => {
    const form = formOf(found('task.create'), { given: { priority: 'P0', labels: ['a', 'b'] } });
    expect(form.given).toEqual({});
    expect(field(form, 'priority')?.initial).toBe('P0');
    expect(field(form, 'labels')?.initial).toBe('a\nb');
  });

  test('asks for some, and holds the rest as it was given', () => {
    const given = { approval: 'APR-1', digest: 'a'.repeat(64) };
    const form = formOf(found('approval.deny'), { asks: ['reason'], given });
    expect(form).toMatchObject({ submit: 'Deny', given });
    expect(form.fields).toMatchObject([{ name: 'reason', type: 'text', required: true, maxLength: 500 }]);
    expect(readForm(form, { reason: 'not on a Friday' })).toEqual({ ...given, reason: 'not on a Friday' });
  });

  test('holds what is too long to be shown whole', () => {
    const description = 'x'.repeat(3_001);
    const form = formOf(found('task.create'), { given: { title: 'T', description } });
    expect(form.given).toEqual({ description });
    expect(field(form, 'description')).toBeUndefined();
    expect(readForm(form, { title: 'T' })).toEqual({ title: 'T', description });
  });
});

describe('what was filled in', () => {
  const form = formOf(found('task.create'));

  test('becomes arguments; what is empty, or as it would be by itself, is left out', () => {
    const values = { title: ' Fix login ', description: '', priority: 'P2', owner: '  ', labels: '' };
    expect(readForm(form, values)).toEqual({ title: 'Fix login' });
  });

  test.each([
    ['ops, tls', ['ops', 'tls']],
    ['ops\ntls,1\n', ['ops', 'tls,1']],
    ['one', ['one']],
  ])('%j is a list', (labels, list) => {
    expect(readForm(form, { title: 'T', labels })).toEqual({ title: 'T', labels: list });
  });

  test('names people with or without @', () => {
    for (const owner of ['@ben', 'ben'])
      expect(readForm(form, { title: 'T', owner })).toMatchObject({ owner: 'ben' });
  });

  test('is numbers, durations, JSON and commands where the schema asks for them', () => {
    const run = formOf(found('job.run'));
    expect(readForm(run, { runbook: 'deploy', in: '5m', priority: '3', args: '{"env": "prod"}' })).toEqual({
      runbook: 'deploy',
      in: 300_000,
      priority: 3,
      args: { env: 'prod' },
    });
  });

  test('is refused with the argument that does not fit', () => {
    const run = formOf(found('job.run'));
    for (const [name, value, problem] of [
      ['priority', 'many', 'priority: expected a number, got "many".'],
      ['in', 'soon', 'in: expected a duration such as 30s, 5m, 2h or 1d, got "soon".'],
      ['args', '{', 'args: expected JSON, got "{".'],
    ] as const) {
      const read = () => readForm(run, { [name]: value });
      expect(read).toThrow(
        expect.objectContaining({ code: 'invalid_argument', argument: { name, problem } }),
      );
    }
  });

  test('says yes or no only where that differs', () => {
    const flags = command({
      name: 'flag.test',
      summary: 'For this test.',
      args: z.object({
        on: z.boolean().default(true).describe('On'),
        off: z.boolean().optional().describe('Off'),
      }),
      needs: 'none',
      risk: 'read',
      examples: [{ text: 'flag test', json: { command: 'flag.test', args: {} } }],
      run: async () => ({ text: '' }),
    });
    const both = formOf(flags);
    expect(untouched(both)).toEqual({ on: true, off: undefined });
    expect(readForm(both, { on: true, off: false })).toEqual({});
    expect(readForm(both, { on: false, off: true })).toEqual({ on: false, off: true });
  });
});

describe.each(commands.map((one) => [one.name, one] as const))('the form of %s', (_, one) => {
  test.each(one.examples.map((example) => [example.text, example] as const))(
    'left as it begins for `%s` means the same',
    async (_text, { json }) => {
      const meant = await language.read(json, CONTEXT);
      const form = formOf(one, { given: meant.invocation.args });
      const args = readForm(form, untouched(form));
      const read = await language.read({ command: one.name, args }, CONTEXT);
      expect(read.args).toEqual(meant.args);
    },
  );
});
