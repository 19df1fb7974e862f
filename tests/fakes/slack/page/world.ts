import type { PostedMessage } from '../messages.ts';

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
  clickButton(message: PageMessage, actionId: string, user: string): Promise<Outcome>;
  clickInHome(user: string, actionId: string): Promise<Outcome>;
  openHome(user: string): Promise<Outcome>;
  messageShortcut(callbackId: string, message: ShortcutMessage, actingUser: string): Promise<Outcome>;
  /** Values by block_id: text, an option's value, a list of them, or a time in seconds as text. */
  submitModal(user: string, values: ModalValues): Promise<Outcome>;
  closeModal(user: string): unknown;
  /** The channel id of a user's direct messages with the bot. */
  dmOf(user: string): string;
}

/** How the app took a delivery; a status of 0 is none at all. */
export interface Outcome {
  readonly status: number;
  readonly milliseconds: number;
}

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
  readonly homes: Readonly<Record<string, unknown>>;
  readonly modals: Readonly<Record<string, readonly unknown[]>>;
  readonly modalErrors: Readonly<Record<string, Readonly<Record<string, string>>>>;
}
