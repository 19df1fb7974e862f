import { describe, expect, test } from 'vitest';
import { checkMessage } from './blocks.ts';
import { input, modal, option, plain } from './support.ts';
import { checkView } from './view-blocks.ts';

const button = (id: string, more: object = {}) => ({
  type: 'button',
  action_id: id,
  text: plain('Go'),
  ...more,
});
const markdown = (text: string) => ({ type: 'mrkdwn', text });
const options = (count: number) => Array.from({ length: count }, (_, index) => option(`o${index}`));
const message = (...blocks: object[]): string => checkMessage({ text: 'x', blocks }).join();
const asked = (element: object, more: object = {}): string =>
  checkView(modal(input('field', element, more)), 'modal').join();

test('a message takes all that it may have', () => {
  const confirm = {
    title: plain('Sure?'),
    text: markdown('*Really*'),
    confirm: plain('Yes'),
    deny: plain('No'),
  };
  const overflow = { type: 'overflow', action_id: 'more', options: options(2) };
  expect(
    message(
      { type: 'header', text: plain('Deploy') },
      { type: 'section', block_id: 's', fields: [markdown('a'), plain('b')], accessory: overflow },
      { type: 'actions', elements: [button('go', { style: 'danger', confirm })] },
    ),
  ).toBe('');
});

test.each([
  ['header is empty', { type: 'header', text: plain('x'.repeat(151)) }],
  ['header is not plain_text', { type: 'header', text: markdown('x') }],
  ['too many fields', { type: 'section', fields: Array.from({ length: 11 }, () => plain('x')) }],
  ['field is empty', { type: 'section', fields: [plain('x'.repeat(2_001))] }],
  ['block_id is empty', { type: 'divider', block_id: 'x'.repeat(256) }],
  ['unknown type input', input('title', { type: 'plain_text_input' })],
  ['cannot stand there', { type: 'actions', elements: [{ type: 'plain_text_input', action_id: 'a' }] }],
  [
    'confirm deny is missing',
    { type: 'actions', elements: [button('a', { confirm: { title: plain('x') } })] },
  ],
  [
    'options are none',
    { type: 'section', text: plain('x'), accessory: { type: 'overflow', action_id: 'a' } },
  ],
])('a message is refused: %s', (what, block) => {
  expect(message(block)).toContain(what);
});

test('two blocks of a message have two ids', () => {
  const divider = { type: 'divider', block_id: 'same' };
  expect(message(divider, divider)).toContain('block_id is not unique');
});

describe('markup', () => {
  test.each([
    '<@U0ANA> in <#C0OPS|ops>',
    '<https://example.com/a|here> and <mailto:a@example.com>',
    '<!date^1700000000^{date_short_pretty} at {time}|14 November>',
    '<!date^1700000000^{ago}^https://example.com/|14 November>',
  ])('takes %s', (text) => {
    expect(checkMessage({ text })).toEqual([]);
  });

  test.each([
    ['<!here>', 'not escaped'],
    ['<!subteam^S1>', 'not escaped'],
    ['<!date^soon^{ago}|x>', 'no integer of seconds'],
    ['<!date^1700000000^today|x>', 'has no token'],
    ['<!date^1700000000^{century}|x>', 'unknown token {century}'],
    ['<!date^1700000000^{ago}>', 'has no fallback'],
    ['<!date^1700000000^{ago}^nowhere|x>', 'a link that is none'],
  ])('refuses %s', (text, what) => {
    expect(checkMessage({ text }).join()).toContain(what);
  });
});

describe('a modal', () => {
  const choices = { options: options(3), initial_option: option('o1') };

  test.each([
    {
      type: 'plain_text_input',
      multiline: true,
      min_length: 0,
      max_length: 3_000,
      placeholder: plain('Why?'),
    },
    { type: 'number_input', is_decimal_allowed: false, min_value: '1', max_value: '9', initial_value: '5' },
    { type: 'static_select', ...choices },
    { type: 'multi_static_select', options: options(100), initial_options: [option('o1')] },
    { type: 'checkboxes', options: options(10) },
    { type: 'radio_buttons', ...choices },
    { type: 'datepicker', initial_date: '2026-03-02' },
    { type: 'datetimepicker', initial_date_time: 1_700_000_000 },
    { type: 'users_select', initial_user: 'U0ANA' },
  ])('takes $type', (element) => {
    expect(asked(element, { hint: plain('x'), optional: true })).toBe('');
  });

  test.each([
    ['max_length', { type: 'plain_text_input', max_length: 3_001 }],
    ['min_length is beyond', { type: 'plain_text_input', min_length: 5, max_length: 4 }],
    ['placeholder is empty', { type: 'plain_text_input', placeholder: plain('x'.repeat(151)) }],
    ['is_decimal_allowed is missing', { type: 'number_input' }],
    ['no number', { type: 'number_input', is_decimal_allowed: true, initial_value: 'five' }],
    ['more than 100', { type: 'static_select', options: options(101) }],
    ['more than 10', { type: 'checkboxes', options: options(11) }],
    ['none of the options', { type: 'radio_buttons', options: options(2), initial_option: option('o9') }],
    ['not unique', { type: 'static_select', options: [option('a'), option('a')] }],
    ['option text', { type: 'static_select', options: [{ text: plain('x'.repeat(76)), value: 'a' }] }],
    ['option value', { type: 'static_select', options: [{ text: plain('x'), value: 'x'.repeat(151) }] }],
    ['YYYY-MM-DD', { type: 'datepicker', initial_date: '2.3.2026' }],
    ['ten digits', { type: 'datetimepicker', initial_date_time: 5 }],
    ['unknown field colour', { type: 'users_select', colour: 1 }],
    ['cannot stand there', { type: 'button', text: plain('x') }],
  ])('is refused: %s', (what, element) => {
    expect(asked(element)).toContain(what);
  });

  test.each([
    ['101 blocks', { blocks: Array.from({ length: 101 }, () => ({ type: 'divider' })) }],
    ['callback_id', { callback_id: 'x'.repeat(256) }],
    ['private_metadata', { private_metadata: 'x'.repeat(3_001) }],
    ['close is empty', { close: plain('x'.repeat(25)) }],
    ['no modal', { type: 'home' }],
    ['unknown field colour', { colour: 1 }],
  ])('is refused as a whole: %s', (what, more) => {
    expect(checkView({ ...modal(), ...more }, 'modal').join()).toContain(what);
  });
});
