import { describe, expect, test } from 'vitest';
import {
  errorsAt,
  formView,
  isOf,
  noticeView,
  refilled,
  valuesIn,
} from '../../../../adapters/slack/forms/view.ts';
import { commands } from '../../../../commands/index.ts';
import { formOf, readForm, type Form } from '../../../../src/core/form.ts';
import { filled, type ModalValues } from '../../../fakes/slack/modal-values.ts';
import { checkView } from '../../../fakes/slack/view-blocks.ts';
import { commandSet } from '../support.ts';

const found = (name: string) => {
  const one = commandSet.find(name);
  if (!one) throw new Error(`no ${name}`);
  return one;
};

/** The form's view as Slack takes it. */
function viewOf(form: Form, notice?: string) {
  const view = formView(form, { command: form.command.name }, notice);
  if (!view) throw new Error('no view');
  expect(checkView(view, 'modal')).toEqual([]);
  return view;
}

/** What comes back once a person filled it in. */
const sent = (form: Form, values: ModalValues) =>
  readForm(form, valuesIn(form, filled(viewOf(form).blocks, values).values));

describe.each(commands.map((one) => [one.name, one] as const))('the view of %s', (_, one) => {
  test('is one that Slack takes, empty and with what its examples give', () => {
    expect(viewOf(formOf(one)).blocks).not.toEqual([]);
    for (const { json } of one.examples) {
      viewOf(formOf(one, { given: json.args }));
      viewOf(formOf(one, { given: json.args, asks: Object.keys(json.args) }), 'Not <!here> & now.');
    }
  });
});

test('every kind of field comes back as it was filled in', () => {
  const values = {
    Title: 'Fix <login>',
    Description: 'One\nTwo',
    Priority: 'P0',
    Owner: '@ana',
    Labels: 'ops, tls',
    Due: '1772442000',
  };
  expect(sent(formOf(found('task.create')), values)).toEqual({
    title: 'Fix <login>',
    description: 'One\nTwo',
    priority: 'P0',
    owner: 'ana',
    labels: ['ops', 'tls'],
    due: '2026-03-02T09:00:00.000Z',
  });
  expect(sent(formOf(found('task.assign')), { Id: 'tsk-1', Clear: 'true' })).toEqual({
    id: 'TSK-1',
    clear: true,
  });
  expect(sent(formOf(found('job.run')), { Runbook: 'deploy', Priority: '3' })).toEqual({
    runbook: 'deploy',
    priority: 3,
  });
});

test('what is known stands in its fields', () => {
  const given = { title: 'T', priority: 'P1', due: '2026-03-02T09:00:00.000Z', labels: ['a', 'b'] };
  expect(sent(formOf(found('task.create'), { given }), {})).toEqual(given);
});

test('what is settled is shown, and asks for nothing', () => {
  const given = { approval: 'APR-1', digest: 'a'.repeat(64) };
  const { blocks } = viewOf(formOf(found('approval.deny'), { asks: ['reason'], given }));
  expect(blocks).toMatchObject([
    { type: 'section', text: { text: `Approval: APR-1\nDigest: ${'a'.repeat(64)}` } },
    { type: 'input', optional: false, element: { multiline: true, max_length: 500 } },
  ]);
});

test('a refusal stands above what was filled in', () => {
  const form = refilled(formOf(found('task.create')), { title: 'T', owner: 'nobody' });
  const view = viewOf(form, 'There is nobody called <nobody>.');
  expect(view.blocks[0]).toMatchObject({ text: { text: 'There is nobody called &lt;nobody&gt;.' } });
  expect(sent(form, {})).toEqual({ title: 'T', owner: 'nobody' });
});

test('an error stands at its argument, or at the first field', () => {
  const form = formOf(found('task.create'));
  expect(errorsAt(form, 'due', 'No.')).toEqual({ 'argument:due': 'No.' });
  expect(errorsAt(form, undefined, 'No.')).toEqual({ 'argument:title': 'No.' });
  expect(errorsAt({ ...form, fields: [] }, undefined, 'No.')).toBeUndefined();
});

test('what does not fit beside the form is no form', () => {
  expect(
    formView(formOf(found('task.create')), { args: { description: 'x'.repeat(3_000) } }),
  ).toBeUndefined();
});

test('a notice of any length is one that Slack takes', () => {
  for (const text of ['', 'Done.', '& <'.repeat(2_000)])
    expect(checkView(noticeView('A title that is longer than Slack has room for', text), 'modal')).toEqual(
      [],
    );
});

test('more fields than Slack has room for are no form', () => {
  const form = formOf(found('task.create'));
  const [field] = form.fields;
  if (!field) throw new Error('no field');
  const many = (count: number): Form => ({
    ...form,
    fields: Array.from({ length: count }, (_, n) => ({ ...field, name: `field${n}` })),
  });
  expect(viewOf(many(99), 'It failed.').blocks).toHaveLength(100);
  expect(formView(many(100), {}, 'It failed.')).toBeUndefined();
});

test('what was filled in is of the form that asked for it', () => {
  const form = formOf(found('task.assign'));
  const { values } = filled(viewOf(form).blocks, { Id: 'TSK-1' });
  expect(isOf(form, values)).toBe(true);
  expect(isOf(form, { ...values, 'argument:gone': {} })).toBe(false);
  expect(isOf(form, {})).toBe(false);
});
