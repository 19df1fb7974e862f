import type { Logger } from 'pino';
import type { Catalog } from '../domain/catalog.ts';
import type { Clock } from '../domain/clock.ts';
import type { JsonObject } from '../domain/json.ts';
import type { CommandSet } from './command.ts';
import type { Directory } from './directory.ts';
import type { Language } from './language.ts';
import type { Admission } from './limits.ts';
import type { Answer, Inbound } from './message.ts';
import type { Store } from './store.ts';

/** What the pipeline works with; the composition root puts it together. */
export interface Services {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly commands: CommandSet;
  readonly language: Language;
  readonly directory: Directory;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly log: Logger;
  readonly health: () => JsonObject;
  /** Told once per message, for metrics: seconds from admission to the durable answer. */
  readonly answered?: (message: Inbound, answer: Answer, seconds: number) => void;
}
