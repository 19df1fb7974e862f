import type { Clicked, PostedMessage } from '../messages.ts';

/** What the page needs of the fake. */
export interface PageWorld {
  /** The Web API's address, `http://127.0.0.1:<port>/api/`. */
  readonly apiUrl: string;
  readonly botUser: string;
  /** What the app did that the real Slack would refuse. */
  readonly violations: readonly string[];
  readonly socket: { readonly isOpen: boolean };
  state(): PageState;
  /** Calls the listener after every change; the answer takes it off again. */
  onChange(listener: () => void): () => void;
  slashCommand(text: string, options: { user: string; channel: string; command: string }): Promise<Outcome>;
  event(text: string, options: { user: string; channel: string; thread?: string }): Promise<Outcome>;
  directMessage(text: string, options: { user: string; thread?: string }): Promise<Outcome>;
  /** People talk to one another. */
  say(text: string, options: { user: string; channel: string; thread?: string }): Promise<Outcome>;
  editMessage(message: Spot, text: string): Promise<Outcome>;
  deleteMessage(message: Spot): Promise<Outcome>;
  clickButton(message: PageMessage, clicked: Clicked, user: string): Promise<Outcome>;
  clickInHome(user: string, clicked: Clicked): Promise<Outcome>;
  /** `values` as for `submitModal`, so far. */
  clickInModal(user: string, clicked: Clicked, values: ModalValues): Promise<Outcome>;
  openHome(user: string): Promise<Outcome>;
  messageShortcut(callbackId: string, message: ShortcutMessage, actingUser: string): Promise<Outcome>;
  /** Values by block_id: text, an option's value, a list of them, or a time in seconds as text. */
  submitModal(user: string, values: ModalValues): Promise<Outcome>;
  closeModal(user: string): Promise<Outcome>;
  /** The channel id of a user's direct messages with the bot. */
  dmOf(user: string): string;
}

/** How the app took a delivery; a status of 0 is none at all. */
export interface Outcome {
  readonly status: number;
  readonly milliseconds: number;
  /** Nothing was sent: the app did not ask to hear of it. */
  readonly isUnheard?: boolean;
}

/** The place of a message. */
export type Spot = Pick<PageMessage, 'channel' | 'ts'>;

export type ModalValues = Readonly<Record<string, string | string[]>>;

export type ShortcutMessage = Pick<PageMessage, 'channel' | 'ts' | 'text' | 'user'> & { thread_ts?: string };

export interface PageMessage {
  readonly channel: string;
  readonly ts: string;
  readonly thread_ts?: string | undefined;
  readonly user: string;
  readonly botName?: string | undefined;
  readonly text: string;
  readonly blocks: PostedMessage['blocks'];
  readonly edited?: PostedMessage['edited'];
  readonly ephemeralFor?: string | undefined;
}

/** A modal or a Home, as far as the page looks into it. */
export interface PageView {
  readonly blocks: PostedMessage['blocks'];
}

export interface PageState {
  readonly team: unknown;
  readonly users: readonly { readonly id: string; readonly name: string; readonly isBot: boolean }[];
  readonly channels: readonly {
    readonly id: string;
    readonly name: string;
    readonly kind: 'channel' | 'dm';
    readonly user?: string | undefined;
  }[];
  readonly messages: readonly PageMessage[];
  readonly homes: Readonly<Record<string, PageView>>;
  /** The undermost first. */
  readonly modals: Readonly<Record<string, readonly PageView[]>>;
  readonly modalErrors: Readonly<Record<string, Readonly<Record<string, string>>>>;
}
