import type { Express } from 'express';
import type { Address, Answer, ChannelName, Inbound, Reply } from './message.ts';

/**
 * `deaf`: on, but it would not hear or could not answer; the reason is shown in `/readyz`, `status` and metrics.
 * `standby`: on, and another process listens at present; this one takes over when that one is gone.
 */
export type Health =
  | { readonly state: 'on' }
  | { readonly state: 'standby'; readonly reason: string }
  | { readonly state: 'off'; readonly reason: string }
  | { readonly state: 'deaf'; readonly reason: string };

/** A channel: decodes and proves messages, hands them to `receive`, renders answers. It knows no command. */
export interface Adapter {
  readonly name: ChannelName;
  /** Starts listening. @throws when it cannot (a port taken, a login refused): the start as a whole fails then. */
  start(): Promise<void>;
  /** Stops intake at once, lets running work finish until the signal aborts, then closes what is open. */
  stop(deadline: AbortSignal): Promise<void>;
  health(): Health;
  /** Set where the channel can speak unasked. */
  readonly notifier?: Notifier;
  /** Set where it shows people something that stays and is kept right: that goes on in the background. */
  readonly keeper?: Keeper;
}

export interface Keeper {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A message to an address. `key` is stable: sending it again must not show it twice where that can be told. */
export interface Outbound {
  readonly key: string;
  readonly reply: Reply;
  /** The message that replaces an earlier one (an approval card after its decision). */
  readonly replaces?: string;
  /** Set where an earlier try may have been accepted, at this instant or later: look, where that can be told. */
  readonly triedSince?: Date;
}

export interface Notifier {
  /**
   * Resolves once the far side accepted it. A throw means: try again later; a `Refusal` other than `rate_limited` or
   * `unavailable` means: never.
   */
  send(to: Address, message: Outbound): Promise<{ externalId: string }>;
  /**
   * Set where the far side bounds how much it takes. Resolves when it takes such a message, with what sends it: until then it
   * may still be changed. Rejects when the signal is aborted.
   */
  turn?(to: Address, message: Pick<Outbound, 'replaces'>, signal: AbortSignal): Promise<Notifier['send']>;
}

/** Hands a proven message to the pipeline; resolves with the answer after its effect is durable. Never rejects. */
export type Receive = (message: Inbound) => Promise<Answer>;

/** The shared server, as adapters see it (adapters/http.ts builds it). */
export type HttpApp = Express;
