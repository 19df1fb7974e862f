/**
 * Edits between two words: insert, delete, replace, or swap neighbours (Damerau-Levenshtein, optimal string alignment:
 * no part is edited twice). Compares UTF-16 units.
 */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(beforeLast, j - 2) + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return at(last, b.length);
}

const at = (row: readonly number[], index: number): number => row[index] ?? Number.POSITIVE_INFINITY;

/** Up to `limit` of the candidates that a slip of the hand may have meant: those fewest edits away, ignoring case. */
export function nearest(word: string, candidates: Iterable<string>, limit = 3): string[] {
  const typed = word.toLowerCase().slice(0, 60);
  const most = Math.max(1, Math.floor(typed.length / 3));
  const found: { name: string; edits: number }[] = [];
  for (const name of candidates) {
    if (Math.abs(name.length - typed.length) > most) continue;
    const edits = distance(typed, name.toLowerCase());
    if (edits <= most) found.push({ name, edits });
  }
  const best = Math.min(...found.map((f) => f.edits));
  const names = found.filter((f) => f.edits === best).map((f) => f.name);
  return names.toSorted().slice(0, limit);
}

/** `a, b or c`. */
export function oneOf(words: readonly string[], last = 'or'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}
