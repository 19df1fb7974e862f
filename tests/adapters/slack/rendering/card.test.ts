import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fairShares } from '../../../../adapters/slack/rendering/parts.ts';
import { render, VIEW } from '../../../../adapters/slack/rendering/render.ts';
import type { Action, Card, Fact, Item, Reply, Section } from '../../../../src/core/message.ts';
import { checkMessage } from '../../../fakes/slack/blocks.ts';
import { checkView } from '../../../fakes/slack/view-blocks.ts';

const act = (label: string, args: Action['invocation']['args'] = {}): Action => ({
  label,
  invocation: { command: 'task.show', args },
});
const laid = (card: Card, over: Partial<Reply> = {}) => render({ text: 'in words', card, ...over }).blocks;
const text = (markup: string) => ({ type: 'mrkdwn', text: markup, verbatim: true });
const section = (markup: string) => ({ type: 'section', text: text(markup) });
const context = (markup: string) => ({ type: 'context', elements: [text(markup)] });
const header = (title: string) => ({
  type: 'header',
  text: { type: 'plain_text', text: title, emoji: false },
});

describe('a card', () => {
  test('has its title, what is exact, facts, body and choices, from the top down', () => {
    const card: Card = {
      title: 'APR-1: ana asks to run',
      exact: 'job run deploy --env "a&b"',
      facts: [
        { label: 'Risk', text: 'destructive' },
        { label: 'Expires', at: '2026-03-02T10:00:00.000Z' },
      ],
      body: 'It is frozen until 2026-03-03 10:00 UTC',
    };
    const rendered = render({ text: 'in words', card, actions: [act('Approve')] });
    expect(rendered.text).toBe('in words');
    expect(rendered.blocks).toEqual([
      header('APR-1: ana asks to run'),
      section('```\njob run deploy --env "a&amp;b"\n```'),
      {
        type: 'section',
        fields: [
          text('*Risk*\ndestructive'),
          text('*Expires*\n<!date^1772445600^{date_short_pretty} {time} ({ago})|2026-03-02 10:00 UTC>'),
        ],
      },
      section('It is frozen until <!date^1772532000^{date_short_pretty} {time}|2026-03-03 10:00 UTC>'),
      { type: 'actions', elements: [expect.objectContaining({ action_id: 'run:0:task.show' })] },
    ]);
  });

  test('lists what is in its sections, with what can be done about each line', () => {
    const blocks = laid({
      title: '',
      sections: [
        {
          title: 'Tasks',
          none: 'None.',
          items: [
            { text: 'TSK-1' },
            { text: 'TSK-2', actions: [act('Show')] },
            { text: 'TSK-3 until 2026-03-02 10:00 UTC', actions: [act('Show'), act('Move')] },
          ],
          more: 'and 5 more',
        },
        { title: 'Jobs', items: [], none: 'No jobs.' },
      ],
    });
    const button = (id: string) => expect.objectContaining({ type: 'button', action_id: id });
    expect(blocks).toEqual([
      header('Tasks'),
      section('TSK-1'),
      { ...section('TSK-2'), accessory: button('run:0:task.show') },
      section('TSK-3 until <!date^1772445600^{date_short_pretty} {time}|2026-03-02 10:00 UTC>'),
      { type: 'actions', elements: [button('run:1:task.show'), button('run:2:task.show')] },
      context('and 5 more'),
      header('Jobs'),
      section('No jobs.'),
    ]);
  });

  test('shows letter by letter what is exact in a line, and nothing else of it', () => {
    const exact = 'job run deploy --note "*_~:skull:~_* ``` `x` 2026-03-02 10:00 UTC <!here> \u202e"';
    const line = `APR-1 · ana asks: ${exact} · until 2026-03-02 10:00 UTC`;
    const blocks = laid({ title: '', sections: [{ title: 'T', none: '', items: [{ text: line, exact }] }] });
    expect(blocks[1]).toEqual(
      section(
        'APR-1 · ana asks:\n```\njob run deploy --note "*_~:skull:~_* `\u200b`` `x` 2026-03-02 10:00 UTC &lt;!here&gt; \ufffd"\n```\n' +
          'until <!date^1772445600^{date_short_pretty} {time}|2026-03-02 10:00 UTC>',
      ),
    );
  });

  test('with nothing in it is told in words', () => {
    expect(laid({ title: ' ', exact: '\n', facts: [], sections: [] })).toEqual([section('in words')]);
  });
});

describe('what is exact', () => {
  const box = (exact: string) => laid({ title: '', exact });

  test.each(['a```b', '````', '``` <!channel> ```', '`', '```\n*x*\n```'])(
    'stays in its box: %s',
    (exact) => {
      const [only, ...others] = box(exact);
      const shown = only && 'text' in only ? only.text.text : '';
      expect(others).toEqual([]);
      expect(shown.match(/```/g)).toHaveLength(2);
      expect(shown).toMatch(/^```\n[^]*\n```$/);
      const inside = shown.slice(4, -4).replaceAll('\u200b', '');
      expect(inside).toBe(exact.replaceAll('<', '&lt;').replaceAll('>', '&gt;'));
    },
  );

  test('keeps a time as it was typed, and shows what would be invisible', () => {
    expect(box('--due 2026-03-02T10:00:00Z \u202etxet\u0007')).toEqual([
      section('```\n--due 2026-03-02T10:00:00Z \ufffdtxet\ufffd\n```'),
    ]);
  });

  test('is split into boxes, and shortened with a note, while facts and choices stay', () => {
    const facts: Fact[] = [{ label: 'Risk', text: 'financial' }];
    const blocks = laid({ title: 'T', exact: 'x'.repeat(50_000), facts }, { actions: [act('Deny')] });
    const boxes = blocks.filter((block) => JSON.stringify(block).includes('```'));
    expect(boxes.length).toBeGreaterThan(2);
    expect(blocks.slice(1 + boxes.length)).toEqual([
      context(expect.stringMatching(/^_… shortened: \d+ more characters/)),
      { type: 'section', fields: [text('*Risk*\nfinancial')] },
      expect.objectContaining({ type: 'actions' }),
    ]);
  });
});

describe('a fact', () => {
  const fields = (facts: Fact[]) =>
    laid({ title: '', facts }).map((block) =>
      'fields' in block ? block.fields.map(({ text: shown }) => shown) : [],
    );

  test('of which there are many stands with nine others', () => {
    const facts = Array.from({ length: 23 }, (_, i) => ({ label: `F${i}`, text: `${i}` }));
    expect(fields(facts).map((row) => row.length)).toEqual([10, 10, 3]);
  });

  test('that is long is shortened, and the others stay whole', () => {
    const [row] = fields([
      { label: 'Long', text: '&'.repeat(9_000) },
      { label: 'Short', text: 'x' },
    ]);
    expect(row?.[0]).toMatch(/^\*Long\*\n(?:&amp;)+…$/);
    expect(row?.[1]).toBe('*Short*\nx');
  });

  test.each([
    [{ label: 'A', text: ' ' }, '*A*\n–'],
    [{ label: 'A', at: 'soon <now>' }, '*A*\nsoon &lt;now&gt;'],
    [{ label: 'A', at: '1926-03-02T10:00:00.000Z' }, '*A*\n1926-03-02T10:00:00.000Z'],
  ])('that is no text or no instant is shown as it is: %j', (fact, shown) => {
    expect(fields([fact])).toEqual([[shown]]);
  });
});

describe('where there is not room for all', () => {
  const list = (title: string, count: number): Section => ({
    title,
    none: '',
    items: Array.from({ length: count }, (_, i) => ({
      text: `${title}-${i}`,
      actions: [act('Show'), act('Move')],
    })),
  });

  test('a short list stays whole beside a long one, which says what is missing', () => {
    const blocks = laid({ title: 'Home', sections: [list('LONG', 40), list('SHORT', 2)] });
    const json = JSON.stringify(blocks);
    expect(json).toContain('"SHORT-1"');
    expect(json).toMatch(/_\d+ more do not fit here\._/);
    expect(json).toContain('"LONG-5"');
  });

  test('a view shows more than a message', () => {
    const reply = { text: 'x', card: { title: 'Home', sections: [list('A', 20), list('B', 20)] } };
    const view = render(reply, VIEW).blocks;
    expect(JSON.stringify(view)).toContain('"B-19"');
    expect(checkView({ type: 'home', blocks: view }, 'home')).toEqual([]);
    expect(JSON.stringify(render(reply).blocks)).not.toContain('"B-19"');
  });

  test('as many lists as nobody reads are said to be missing', () => {
    const lists = Array.from({ length: 100 }, (_, i) => list(`L${i}`, 3));
    const rendered = render({ text: 'x', card: { title: 'Home', sections: lists } });
    expect(checkMessage(rendered)).toEqual([]);
    expect(rendered.blocks.at(-1)).toEqual(context(expect.stringContaining('not all of it fits here')));
  });

  test('who wants little gets it, and the others share alike', () => {
    expect(fairShares([5, 100, 1, 100], 26)).toEqual([5, 10, 1, 10]);
    expect(fairShares([1, 2], 10)).toEqual([1, 2]);
    expect(fairShares([], 10)).toEqual([]);
  });
});

const unit = fc.constantFrom(
  '<!channel>',
  '<@U1>',
  '<!date^1^{time}|x>',
  '2026-03-02 10:00 UTC',
  '```',
  '`',
  '<',
  '>',
  '&',
  '|',
  '"',
  '\\',
  '\n',
  ' ',
  '\u0000',
  '\u202e',
  '\ud83d',
  '😀',
  'a',
);
const nasty = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit }));
const any = fc.oneof(
  nasty,
  fc
    .tuple(nasty, fc.integer({ min: 0, max: 20_000 }))
    .map(([some, n]) => some.repeat(Math.ceil(n / (some.length + 1)))),
);
const action: fc.Arbitrary<Action> = fc
  .record({ label: any, command: nasty, arg: any })
  .map(({ label, command, arg }) => ({ label, invocation: { command, args: { arg } } }));
const actions = fc.array(action, { maxLength: 8 });
const item: fc.Arbitrary<Item> = fc.record({ text: any, actions }, { requiredKeys: ['text'] });
const fact: fc.Arbitrary<Fact> = fc.oneof(
  fc.record({ label: any, text: any }),
  fc.record({
    label: any,
    at: fc.oneof(
      nasty,
      fc.date({ noInvalidDate: true }).map((at) => at.toISOString()),
    ),
  }),
);
const list = fc.record(
  { title: any, items: fc.array(item, { maxLength: 30 }), none: any, more: any },
  { requiredKeys: ['title', 'items', 'none'] },
);
const card: fc.Arbitrary<Card> = fc.record(
  {
    title: any,
    exact: any,
    facts: fc.array(fact, { maxLength: 30 }),
    body: any,
    sections: fc.array(list, { maxLength: 12 }),
  },
  { requiredKeys: ['title'] },
);

/** Only what Slack reads as markup: in plain text there are no mentions. */
function markupIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('type' in value && value.type === 'mrkdwn' && 'text' in value) return [String(value.text)];
  return Object.values(value).flatMap(markupIn);
}

/** A date of ours: nothing in it but a time. */
const OURS =
  /<!date\^\d+\^\{date_short_pretty\} \{time(?:_secs)?\}(?: \(\{ago\}\))?\|\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z| UTC)>/g;

describe('any card', () => {
  test('keeps within what Slack accepts, and lets nobody but us say <', () => {
    fc.assert(
      fc.property(any, card, actions, (words, some, its) => {
        const reply = { text: words, card: some, actions: its };
        const message = render(reply);
        const view = render(reply, VIEW).blocks;
        expect(checkMessage(message)).toEqual([]);
        expect(checkView({ type: 'home', blocks: view }, 'home')).toEqual([]);
        for (const shown of [message.text, ...markupIn(message.blocks), ...markupIn(view)])
          expect(shown.replace(OURS, '')).not.toMatch(/[<>]/);
      }),
    );
  });
});
