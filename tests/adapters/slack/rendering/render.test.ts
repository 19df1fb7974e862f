import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { render, renderAnswer } from '../../../../adapters/slack/rendering/render.ts';
import type { Action, Reply } from '../../../../src/core/message.ts';
import { checkMessage } from '../../../fakes/slack/blocks.ts';

const nasty = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('<', '>', '&', '"', '\\', '\n', ' ', '\u0000', '\ud83d', '😀', '<!channel>', 'a'),
  }),
);
const long = fc
  .tuple(nasty, fc.integer({ min: 0, max: 20_000 }))
  .map(([unit, n]) => unit.repeat(Math.ceil(n / (unit.length + 1))));
const action: fc.Arbitrary<Action> = fc
  .record({ label: fc.oneof(nasty, long), command: nasty, arg: fc.oneof(nasty, long) })
  .map(({ label, command, arg }) => ({ label, invocation: { command, args: { arg } } }));
const reply: fc.Arbitrary<Reply> = fc.record({
  text: fc.oneof(nasty, long),
  actions: fc.array(action, { maxLength: 40 }),
});

describe('any reply', () => {
  test('keeps within what Slack accepts', () => {
    fc.assert(
      fc.property(reply, (any) => {
        expect(checkMessage(render(any))).toEqual([]);
      }),
    );
  });

  test('does so as an error, too', () => {
    fc.assert(
      fc.property(reply, nasty, (any, code) => {
        const error = { code, suggestions: [] };
        const answer = { id: 'a', status: 'error', reply: any, correlationId: code, error } as const;
        expect(checkMessage(renderAnswer(answer))).toEqual([]);
      }),
    );
  });
});

const shown = (rendered: ReturnType<typeof render>): string =>
  rendered.blocks.map((block) => ('text' in block ? block.text.text : '')).join('');
const below = ({ blocks }: ReturnType<typeof render>): string[] =>
  blocks.flatMap((block) => (block.type === 'context' ? block.elements.map(({ text }) => text) : []));

describe('text', () => {
  test('of an ordinary length is shown whole', () => {
    const text = Array.from({ length: 400 }, (_, i) => `TSK-${i} something to do`).join('\n');
    expect(shown(render({ text }))).toBe(text);
  });

  test('that is too long says how much is missing', () => {
    const rendered = render({ text: 'x'.repeat(50_000) });
    const missing = 50_000 - shown(rendered).length;
    expect(below(rendered)).toEqual([
      `_… shortened: ${missing} more characters. Ask for less, or on another channel._`,
    ]);
    expect(missing).toBeLessThan(41_000);
  });

  test('is shown as it was written', () => {
    expect(shown(render({ text: '<!channel> & <@U1>' }))).toBe('&lt;!channel&gt; &amp; &lt;@U1&gt;');
  });
});

describe('a time in a text', () => {
  const at = (text: string): string => shown(render({ text }));

  test.each([
    ['2026-03-02 10:00 UTC', '<!date^1772445600^{date_short_pretty} {time}|2026-03-02 10:00 UTC>'],
    ['2026-03-02 10:00:05 UTC', '<!date^1772445605^{date_short_pretty} {time_secs}|2026-03-02 10:00:05 UTC>'],
    ['2026-03-02T10:00:00.000Z', '<!date^1772445600^{date_short_pretty} {time}|2026-03-02T10:00:00.000Z>'],
    ['2026-03-02T10:00:00Z', '<!date^1772445600^{date_short_pretty} {time}|2026-03-02T10:00:00Z>'],
  ])('is shown in the zone of whoever reads it: %s', (written, token) => {
    expect(at(`Expires: ${written}. Soon`)).toBe(`Expires: ${token}. Soon`);
    expect(at(`(until ${written})`)).toBe(`(until ${token})`);
    expect(at(`a\n${written}\nb`)).toBe(`a\n${token}\nb`);
    expect(render({ text: `until ${written}` }).text).toBe(`until ${written}`);
  });

  test.each([
    '`2026-03-02 10:00 UTC`',
    '```\nuntil 2026-03-02T10:00:00.000Z\n```',
    'https://example.test/?at=2026-03-02T10:00:00Z',
    '2026-02-30 10:00 UTC',
    '2026-13-01 10:00 UTC',
    '2026-03-02 25:00 UTC',
    '1926-03-02 10:00 UTC',
    '2026-03-02 10:00',
    '2026-03-02 10:00 UTC+1',
    '12026-03-02 10:00 UTC',
  ])('stays as it is where it is code, a part of something, or no instant: %s', (text) => {
    expect(at(text)).toBe(text);
  });

  test('comes only out of what has nothing but the time in it', () => {
    const typed = '<!date^1772445600^{date}|now> 2026-03-02 10:00 UTC|<@U1>';
    expect(at(typed)).toBe('&lt;!date^1772445600^{date}|now&gt; 2026-03-02 10:00 UTC|&lt;@U1&gt;');
  });

  test('is never cut in two', () => {
    for (let before = 2_880; before < 3_010; before += 1) {
      const rendered = render({ text: `${'x'.repeat(before)} 2026-03-02 10:00 UTC` });
      expect(checkMessage(rendered)).toEqual([]);
      expect(shown(rendered)).toContain('{time}|2026-03-02 10:00 UTC>');
    }
    const many = render({ text: Array.from({ length: 2_000 }, () => '2026-03-02 10:00 UTC').join(' ') });
    expect(checkMessage(many)).toEqual([]);
  });
});

describe('buttons', () => {
  const make = (n: number, args: Action['invocation']['args'] = {}): Action[] =>
    Array.from({ length: n }, (_, i) => ({ label: `Do ${i}`, invocation: { command: 'task.show', args } }));

  test('carry their invocation', () => {
    const rendered = render({ text: 'x', actions: make(1, { task: 'TSK-1' }) });
    expect(rendered.blocks.at(-1)).toMatchObject({
      elements: [{ value: '{"command":"task.show","args":{"task":"TSK-1"}}', action_id: 'run:0:task.show' }],
    });
  });

  test('that do not fit are said to be missing', () => {
    expect(render({ text: 'x', actions: make(30) }).text).toContain('5 of the choices');
    expect(render({ text: 'x', actions: make(1, { title: 'y'.repeat(3_000) }) }).text).toContain(
      '1 of the choices',
    );
  });
});
