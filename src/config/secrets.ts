import { holdsSecret } from '../domain/redact.ts';
import { dotted, type Path, type Report } from './problem.ts';

const TELLING_KEY =
  /(?:^|[-_.\s]|[a-z](?=[A-Z]))(?:api)?(?:token|secret|password|passwd|key|authorization|credential)s?$/i;

/** Reports every text anywhere in the file that looks like a secret, without quoting it. */
export function checkSecrets(value: unknown, report: Report): void {
  walk(value, [], '', report);
}

function walk(value: unknown, path: Path, key: string, report: Report): void {
  if (typeof value === 'string') {
    if (isSecret(value, key))
      report(
        'SBX018',
        path,
        `${dotted(path)} looks like a secret written in clear.`,
        'Write ${env:NAME} instead.',
      );
  } else if (Array.isArray(value)) value.forEach((item, index) => walk(item, [...path, index], key, report));
  else if (typeof value === 'object' && value !== null)
    for (const [name, item] of Object.entries(value)) walk(item, [...path, name], name, report);
}

function isSecret(text: string, key: string): boolean {
  const literal = text.replaceAll(/\$\{[^}]*\}/g, '');
  if (holdsSecret(literal)) return true;
  return (
    TELLING_KEY.test(key) && literal.split(/\s+/).some((word) => word.length >= 16 && entropy(word) >= 3)
  );
}

/** Shannon entropy in bits per character: English words stay near 2.5 at such lengths, random text is above 3.5. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce(
    (sum, count) => sum - (count / text.length) * Math.log2(count / text.length),
    0,
  );
}
