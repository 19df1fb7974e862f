import { nearest } from '../core/language/nearest.ts';

/** `Did you mean "timeout"?` where a known word is near to what was written; otherwise the advice given. */
export function suggest(written: string, known: Iterable<string>, otherwise: string): string {
  const [meant] = nearest(written, known, 1);
  return meant === undefined ? otherwise : `Did you mean "${meant}"?`;
}
