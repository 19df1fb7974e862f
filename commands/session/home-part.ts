import type { Ctx } from '../../src/core/command.ts';
import type { Action, Item, Section } from '../../src/core/message.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { may } from '../../src/domain/permission.ts';

/** How many of a kind are shown. */
export const SHOWN = 10;

/** One part of what `home` shows, for people and as JSON: `{ items, more }`. */
export interface Part {
  readonly section: Section;
  readonly data: JsonObject;
}

export interface Shown<R> {
  readonly title: string;
  readonly none: string;
  /** Those that are shown, the first first. */
  readonly rows: readonly R[];
  /** How many there are in all. */
  readonly of: number;
  /** There may be more than that. */
  readonly open?: boolean;
  readonly item: (row: R) => Item;
  readonly view: (row: R) => JsonObject;
}

export function partOf<R>({ title, none, rows, of, open = false, item, view }: Shown<R>): Part {
  const more = Math.max(0, of - rows.length);
  const words = more > 0 ? `and ${more}${open ? ' or more' : ''} more` : 'and perhaps more';
  const said = more > 0 || open ? { more: words } : {};
  return { section: { title, none, items: rows.map(item), ...said }, data: { items: rows.map(view), more } };
}

/** Those of the actions that the caller may run: a button that would be refused is worse than none. */
export const allowed = ({ who, commands }: Ctx, actions: readonly Action[]): readonly Action[] =>
  actions.filter(({ invocation }) => {
    const needs = commands.find(invocation.command)?.needs;
    return needs !== undefined && (needs === 'none' || may(who, needs));
  });

export const itemLines = (items: readonly Item[]): string[] =>
  items.map(({ text }) => text.replaceAll('\n', '\n    '));
