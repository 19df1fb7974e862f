/**
 * Text for a terminal: control characters (an escape sequence in a task's title could move the cursor or retitle the
 * window) and bidirectional overrides (Trojan Source, CVE-2021-42574) become visible marks; line breaks and tabs stay.
 */
export function printable(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(/[^\P{Cc}\n\t]|[\u202A-\u202E\u2066-\u2069\p{Cs}]/gu, '\uFFFD');
}
