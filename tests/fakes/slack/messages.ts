import type { Clock } from '../../../src/domain/clock.ts';
import type { Bot } from './team.ts';

/** A message as it stands now, posted by the bot or typed by a person. */
export interface PostedMessage {
  readonly channel: string;
  readonly ts: string;
  readonly thread_ts: string | undefined;
  readonly user: string;
  /** The app's name, on the bot's messages. */
  readonly botName?: string | undefined;
  text: string;
  blocks: readonly PostedBlock[];
  metadata?: Metadata | undefined;
  edited?: { readonly user: string; readonly ts: string } | undefined;
  /** Whose eyes alone see it. */
  readonly ephemeralFor?: string | undefined;
}

/** docs.slack.dev/messaging/message-metadata */
export interface Metadata {
  readonly event_type: string;
  readonly event_payload: Readonly<Record<string, unknown>>;
}

export interface PostedBlock {
  readonly type: string;
  readonly block_id?: string;
  readonly text?: { readonly text: string };
  readonly elements?: readonly PostedElement[];
  readonly accessory?: PostedElement;
}

interface PostedElement {
  readonly type?: string;
  readonly action_id?: string;
  readonly value?: string;
  readonly text?: string | { readonly text: string };
  readonly style?: string;
  readonly options?: readonly Option[];
}

interface Option {
  readonly text: { readonly text: string };
  readonly value: string;
}

/** A button or option by its action_id, label, value or command's name; or what a click sends, of one that is not there. */
export type Button = string | Clicked;

/** What a click sends about the element that was clicked. */
export interface Clicked {
  readonly [name: string]: unknown;
  readonly action_id?: string;
}

/** Slack's message ids: seconds, a dot, six digits; unique and rising even on a clock that stands still. */
export class Timestamps {
  readonly #clock: Clock;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(): string {
    this.#count += 1;
    const seconds = Math.floor(this.#clock.now().getTime() / 1_000);
    return `${seconds}.${String(this.#count).padStart(6, '0')}`;
  }
}

/** Blocks with the block_ids that Slack gives to those without. */
export function withIds<Block extends { readonly block_id?: string }>(
  blocks: readonly Block[],
): (Block & { readonly block_id: string })[] {
  return blocks.map((block, index) => ({ ...block, block_id: block.block_id ?? `b${index + 1}` }));
}

/**
 * The button with this action_id, label or command, or the option with this value or label.
 * @throws Error listing what there is.
 */
function findButton(blocks: readonly PostedBlock[], wanted: string): Clicked {
  const labels: string[] = [];
  for (const block of withIds(blocks))
    for (const element of elementsOf(block)) {
      const { options, ...rest } = element;
      for (const option of options ?? []) {
        labels.push(option.text.text);
        if (option.value === wanted || option.text.text === wanted)
          return { ...rest, block_id: block.block_id, selected_option: option };
      }
      if (options !== undefined) continue;
      labels.push(labelOf(element));
      if (
        element.action_id === wanted ||
        labelOf(element) === wanted ||
        element.action_id?.endsWith(`:${wanted}`) === true
      )
        return { ...rest, block_id: block.block_id };
    }
  throw new Error(`No button "${wanted}"; there are: ${labels.join(', ') || 'none'}`);
}

/** What a click sends. What was chosen of a list is not a value of its own. */
export function clickOf(blocks: readonly PostedBlock[], button: Button): Clicked {
  const clicked = typeof button === 'string' ? findButton(blocks, button) : button;
  if (clicked['selected_option'] === undefined) return clicked;
  const { value: _, ...rest } = clicked;
  return rest;
}

/** Where an element stands, and which of its options was chosen. */
export interface Pointed {
  readonly block: string;
  readonly action: string;
  /** The option's value, of a list. */
  readonly option?: string | undefined;
}

/** The element at a place, as a click sends it; undefined where it is gone. */
export function elementAt(
  blocks: readonly PostedBlock[],
  { block, action, option }: Pointed,
): Clicked | undefined {
  const found = withIds(blocks).find(({ block_id }) => block_id === block);
  const element = found && elementsOf(found).find(({ action_id }) => action_id === action);
  if (element === undefined) return undefined;
  const { options, ...rest } = element;
  if (options === undefined) return { ...rest, block_id: block };
  const chosen = options.find(({ value }) => value === option);
  return chosen && { ...rest, block_id: block, selected_option: chosen };
}

const elementsOf = (block: PostedBlock): readonly PostedElement[] => [
  ...(block.type === 'actions' ? (block.elements ?? []) : []),
  ...(block.accessory === undefined ? [] : [block.accessory]),
];

const labelOf = (button: PostedElement): string =>
  typeof button.text === 'object' ? button.text.text : (button.text ?? '');

/** A message as answers and events have it, without its place. */
export function messageObject(message: PostedMessage, bot: Bot): Record<string, unknown> {
  const { ts, text, blocks, user, thread_ts: thread, edited } = message;
  return {
    type: 'message',
    user,
    ts,
    text,
    team: bot.teamId,
    ...(blocks.length > 0 && { blocks }),
    ...(user === bot.botUser && { bot_id: bot.botId, app_id: bot.appId }),
    ...(thread !== undefined && { thread_ts: thread }),
    ...(edited !== undefined && { edited }),
  };
}
