import { type Block, context } from './blocks.ts';
import { cutMarkup } from './text.ts';

/** Blocks, and characters of their JSON. */
export interface Space {
  readonly blocks: number;
  readonly characters: number;
}

/** Something to show that can do with less space than it wants, and then says that something is missing. */
export interface Part {
  readonly wants: Space;
  /** Nothing, where the space does not do for anything. */
  within(space: Space): readonly Block[];
}

export const sizeOf = (blocks: readonly Block[]): Space => ({
  blocks: blocks.length,
  characters: JSON.stringify(blocks).length,
});

export const fits = (size: Space, space: Space): boolean =>
  size.blocks <= space.blocks && size.characters <= space.characters;

const sum = (one: Space, other: Space): Space => ({
  blocks: one.blocks + other.blocks,
  characters: one.characters + other.characters,
});

/** Text of any length, laid out as blocks; the beginning of it where it does not fit. */
export function textPart(markup: string, asBlocks: (markup: string) => Block[]): Part {
  const whole = asBlocks(markup);
  const wants = sizeOf(whole);
  const within = (space: Space): Block[] => {
    if (fits(wants, space)) return whole;
    let end = cutMarkup(markup, Math.min(markup.length, space.characters));
    for (; end > 0; end = cutMarkup(markup, Math.floor(end * 0.9))) {
      const blocks = [...asBlocks(markup.slice(0, end)), context(shortened(markup.length - end))];
      if (fits(sizeOf(blocks), space)) return blocks;
    }
    return [];
  };
  return { wants, within };
}

const shortened = (characters: number): string =>
  `_… shortened: ${characters} more characters. Ask for less, or on another channel._`;

/** Things one below the other, each whole or not at all, between what begins and what ends them. */
export function listPart(head: Block[], things: readonly Block[][], tail: Block[]): Part {
  const sizes = things.map(sizeOf);
  const frame = sum(sizeOf(head), sizeOf(tail));
  const wants = sizes.reduce(sum, frame);
  const within = (space: Space): Block[] => {
    if (fits(wants, space)) return [...head, ...things.flat(), ...tail];
    let used = sum(frame, sizeOf([context(doNotFit(things.length))]));
    if (!fits(used, space)) return [];
    let count = 0;
    for (const size of sizes) {
      const more = sum(used, size);
      if (!fits(more, space)) break;
      used = more;
      count += 1;
    }
    const missing = context(doNotFit(things.length - count));
    return [...head, ...things.slice(0, count).flat(), missing, ...tail];
  };
  return { wants, within };
}

const doNotFit = (count: number): string => `_${count} more ${count === 1 ? 'does' : 'do'} not fit here._`;

/** Parts below each other. Where they want too much, what is long gives way to what is short. */
export function layOut(parts: readonly Part[], all: Space): Block[] {
  const lost = context('_… shortened: not all of it fits here. Ask for less, or on another channel._');
  const { blocks, characters } = sizeOf([lost]);
  const space = { blocks: all.blocks - blocks, characters: all.characters - characters };
  // A heading, a line and what is missing: less would say nothing.
  const shown = parts.slice(0, Math.floor(space.blocks / 3));
  const rows = fairShares(
    shown.map(({ wants }) => wants.blocks),
    space.blocks,
  );
  const signs = fairShares(
    shown.map(({ wants }) => wants.characters),
    space.characters,
  );
  const laid = shown.map((part, i) => part.within({ blocks: rows[i] ?? 0, characters: signs[i] ?? 0 }));
  const isWhole = shown.length === parts.length && laid.every((some) => some.length > 0);
  return [...laid.flat(), ...(isWhole ? [] : [lost])];
}

/** Who wants no more than an even share gets it; the others share evenly what is left. */
export function fairShares(wanted: readonly number[], space: number): number[] {
  const shares = wanted.map(() => 0);
  const modestFirst = [...wanted.entries()].toSorted(([, one], [, other]) => one - other);
  let left = space;
  for (const [done, [index, want]] of modestFirst.entries()) {
    const share = Math.min(want, Math.floor(left / (wanted.length - done)));
    shares[index] = share;
    left -= share;
  }
  return shares;
}
