import { digest, type Json } from './json.ts';

/**
 * The strong entity tag of a view (RFC 9110, 8.8.3), quotes included: SHA-256 over its canonical form. A view carries
 * its row's `version`, so two states of a row never share a tag.
 */
export function etagOf(data: Json): string {
  return `"${digest(data)}"`;
}
