import type { SigningOptions } from './signing.ts';

/** What Slack delivers, in Socket Mode's words. */
export type EnvelopeType = 'slash_commands' | 'events_api' | 'interactive';

export interface DeliveryOptions extends SigningOptions {
  readonly retryNum?: number;
  readonly retryReason?: string;
}
