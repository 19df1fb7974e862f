import type { Json } from './json.ts';

/** What a try did outside. */
export interface Effect {
  readonly kind: 'http' | 'shell' | 'probe' | 'remote' | 'notify';
  /** Without secrets: an origin and path, a program, a worker. */
  readonly target: string;
  /** `201`, `exit 0`, `timeout`, `no answer` … */
  readonly outcome: string;
  readonly result: Json;
  readonly startedAt: Date;
  readonly endedAt: Date;
}

/** An effect, with what it was done under. */
export interface Receipt extends Effect {
  /** The step's name, and whether it was made or undone; null and absent where the runbook has none. */
  readonly step: string | null;
  readonly phase?: 'forward' | 'compensating';
  /** The `Idempotency-Key` that went out with it. */
  readonly key: string;
}
