import type { Clock } from '../../../src/domain/clock.ts';

/** A message the bot posted, as it stands now. */
export interface PostedMessage {
  readonly channel: string;
  readonly ts: string;
  readonly thread_ts: string | undefined;
  text: string;
  blocks: readonly PostedBlock[];
  /** Told by the history alone, and only where it is asked for. */
  readonly metadata?: unknown;
}

interface PostedBlock {
  readonly type: string;
  readonly text?: { readonly text: string };
  readonly elements?: readonly PostedElement[];
}

interface PostedElement {
  readonly action_id?: string;
  readonly value?: string;
  readonly text?: string | { readonly text: string };
  readonly style?: string;
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

/** The buttons of a message, in order. */
function buttonsOf(message: Pick<PostedMessage, 'blocks'>): PostedElement[] {
  return message.blocks.flatMap((block) => (block.type === 'actions' ? (block.elements ?? []) : []));
}

/** The button with this action_id, label or command. @throws Error listing the buttons there are. */
export function findButton(message: Pick<PostedMessage, 'blocks'>, wanted: string): PostedElement {
  const buttons = buttonsOf(message);
  const found = buttons.find(
    (button) =>
      button.action_id === wanted ||
      labelOf(button) === wanted ||
      button.action_id?.endsWith(`:${wanted}`) === true,
  );
  if (found) return found;
  throw new Error(`No button "${wanted}"; there are: ${buttons.map(labelOf).join(', ') || 'none'}`);
}

const labelOf = (button: PostedElement): string =>
  typeof button.text === 'object' ? button.text.text : (button.text ?? '');
