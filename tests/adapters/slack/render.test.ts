import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { render, renderAnswer } from '../../../adapters/slack/render.ts';
import type { Action, Reply } from '../../../src/core/message.ts';
import { checkMessage } from '../../fakes/slack/blocks.ts';

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
  rendered.blocks.map((block) => (block.type === 'section' ? block.text.text : '')).join('');

describe('text', () => {
  test('of an ordinary length is shown whole', () => {
    const text = Array.from({ length: 400 }, (_, i) => `TSK-${i} something to do`).join('\n');
    expect(shown(render({ text }))).toBe(text);
  });

  test('that is too long says how much is missing', () => {
    expect(shown(render({ text: 'x'.repeat(50_000) }))).toMatch(/x\n_… shortened: \d+ more characters/);
  });

  test('is shown as it was written', () => {
    expect(shown(render({ text: '<!channel> & <@U1>' }))).toBe('&lt;!channel&gt; &amp; &lt;@U1&gt;');
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
