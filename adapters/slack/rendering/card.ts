import type { Action, Card, Fact, Item, Section } from '../../../src/core/message.ts';
import { printable } from '../../../src/core/printable.ts';
import {
  type Block,
  boxed,
  type Button,
  clipped,
  context,
  header,
  mrkdwn,
  sections,
  verbatim,
} from './blocks.ts';
import { fits, listPart, type Part, sizeOf, type Space, textPart } from './parts.ts';
import { escaped } from './text.ts';
import { timeWithDistance, withTimes } from './times.ts';

/** docs.slack.dev/reference/block-kit/blocks/section-block */
const FIELDS = 10;
const FIELD_TEXT = 2_000;
/** A fact is not shown with less, however many there are: its label, and a value that may be a date. */
const LEAST_OF_FACT = 250;
const LABEL_TEXT = 100;
const ITEM_TEXT = 1_000;
const CONTEXT_TEXT = 500;
const BUTTONS_PER_BLOCK = 5;

/** The parts of a card, from its title down. `buttonsOf` makes those of an item. */
export function cardParts(card: Card, buttonsOf: (actions: readonly Action[]) => Button[]): Part[] {
  const { title, exact = '', facts = [], body = '', sections: lists = [] } = card;
  return [
    listPart(header(title), [], []),
    textPart(escaped(printable(exact)), verbatim),
    factsPart(facts),
    textPart(withTimes(escaped(body)).trim(), sections),
    ...lists.map((list) => sectionPart(list, buttonsOf)),
  ].filter(({ wants }) => wants.blocks > 0);
}

function factsPart(facts: readonly Fact[]): Part {
  const wants = sizeOf(fieldBlocks(facts, FIELD_TEXT));
  const within = (space: Space): readonly Block[] => {
    for (let most = FIELD_TEXT; most > LEAST_OF_FACT; most = Math.floor(most * 0.8)) {
      const blocks = fieldBlocks(facts, most);
      if (fits(sizeOf(blocks), space)) return blocks;
    }
    const rows = fieldBlocks(facts, LEAST_OF_FACT).map((row) => [row]);
    return listPart([], rows, []).within(space);
  };
  return { wants, within };
}

/** Label above value, two beside each other, in at most so many characters. */
function fieldBlocks(facts: readonly Fact[], most: number): Block[] {
  const fields = facts.map((fact) => {
    const label = `*${clipped(escaped(fact.label), LABEL_TEXT)}*\n`;
    return mrkdwn(`${label}${valueOf(fact, most - label.length)}`);
  });
  return inRows(fields, FIELDS).map((row) => ({ type: 'section', fields: row }));
}

function valueOf(fact: Fact, most: number): string {
  if ('at' in fact) return timeWithDistance(fact.at) ?? clipped(escaped(fact.at), most);
  return clipped(withTimes(escaped(fact.text)).trim(), most) || '–';
}

function sectionPart(list: Section, buttonsOf: (actions: readonly Action[]) => Button[]): Part {
  const { title, items, none, more = '' } = list;
  const lines = items.length === 0 ? [{ text: none }] : items;
  const below = clipped(withTimes(escaped(more)).trim(), CONTEXT_TEXT);
  return listPart(
    header(title),
    lines.map((item) => itemBlocks(item, buttonsOf(item.actions ?? []))),
    below === '' ? [] : [context(below)],
  );
}

/** A line with its button beside it; several buttons stand below it. */
function itemBlocks(item: Item, buttons: readonly Button[]): Block[] {
  const line = mrkdwn(clipped(itemText(item), ITEM_TEXT) || '–');
  const [only, ...others] = buttons;
  if (only === undefined) return [{ type: 'section', text: line }];
  if (others.length === 0) return [{ type: 'section', text: line, accessory: only }];
  return [{ type: 'section', text: line }, ...actionRows(buttons)];
}

export const actionRows = (buttons: readonly Button[]): Block[] =>
  inRows(buttons, BUTTONS_PER_BLOCK).map((elements) => ({ type: 'actions', elements }));

/** What is exact stands in a box of its own: nothing that is meant as markup, as a time or as an emoji is read into it. */
function itemText({ text, exact = '' }: Item): string {
  const at = exact === '' ? -1 : text.indexOf(exact);
  if (at < 0) return withTimes(escaped(text)).trim();
  const before = withTimes(escaped(text.slice(0, at))).trim();
  const after = withTimes(escaped(text.slice(at + exact.length))).replace(/^[\s·]+/, '');
  return `${before}\n${boxed(escaped(printable(exact)))}\n${after}`.trim();
}

function inRows<T>(things: readonly T[], size: number): T[][] {
  const rows: T[][] = [];
  for (let i = 0; i < things.length; i += size) rows.push(things.slice(i, i + size));
  return rows;
}
