import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

interface Collection {
  readonly type: 'major';
  readonly flavor: 'last-resort';
  readonly execution: 'sync';
}

/**
 * Gives back what loading and starting have left behind, more than half of what the process holds by then: V8 would keep
 * it for as long as nothing happens. Takes some 60 ms, once.
 */
export function returnMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (how: Collection) => void;
  collect({ type: 'major', flavor: 'last-resort', execution: 'sync' });
}
