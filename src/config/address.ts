import { SELF } from '../domain/runbook.ts';
import type { Path, Report } from './problem.ts';

/** An outgoing URL: http or https, its origin written out (or `${self}`), and no credentials in it. */
export function checkAddress(url: string, path: Path, report: Report): void {
  const fault = addressFault(url);
  if (fault !== undefined)
    report(
      'SBX021',
      path,
      `This address ${fault}.`,
      'Write https://host/path, or ${self}/path for this server; secrets go into a header as ${env:NAME}.',
    );
}

/** A reference that stands for the whole origin: what follows cannot become part of it. */
const REFERENCED = /^\$\{(?:env|file):[^}]*\}(?=$|[?#]|\/(?!\/))/;

function addressFault(url: string): string | undefined {
  // What follows must not become part of the host.
  if (url.startsWith(SELF))
    return /^(?:$|[/?#])/.test(url.slice(SELF.length)) ? undefined : 'goes on after ${self} without a /';
  const origin = REFERENCED.exec(url)?.[0] ?? /^[^/]*\/\/[^/?#]*/.exec(url)?.[0] ?? url;
  if (origin.includes('${args.')) return 'lets an argument choose the host';
  const parsed = URL.parse(
    url.replaceAll(/\$\{(?:env|file):[^}]*\}/g, 'placeholder').replaceAll(/\$\{[^}]*\}/g, '0'),
  );
  // A whole address, or its origin, may come from the environment.
  if (parsed === null) return /^\$\{(?:env|file):/.test(origin) ? undefined : 'is not a URL';
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') return 'is neither http nor https';
  if (parsed.username !== '' || parsed.password !== '') return 'has credentials in it';
  return undefined;
}
