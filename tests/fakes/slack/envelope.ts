import type { SigningOptions } from './signing.ts';

/** What Slack delivers, in Socket Mode's words. */
export type EnvelopeType = 'slash_commands' | 'events_api' | 'interactive';

export interface DeliveryOptions extends SigningOptions {
  readonly retryNum?: number;
  readonly retryReason?: string;
  /** Delivers an event again that was not acknowledged, as Slack does; the fake's own setting unless told. */
  readonly retries?: boolean;
  /** Ends the delivery. */
  readonly signal?: AbortSignal;
}
