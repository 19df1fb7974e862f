import type { z } from 'zod';
import type { Probe } from '../domain/probe.ts';
import { checkAddress } from './address.ts';
import type { Report } from './problem.ts';
import type { probe } from './shape.ts';
import { checkTemplates, type Template } from './templates.ts';

type Entry = z.output<typeof probe>;

export function probeTemplates(name: string, { url, headers }: Pick<Probe, 'url' | 'headers'>): Template[] {
  const path = ['probes', name];
  return [
    { text: url, path: [...path, 'url'], url: true },
    ...Object.entries(headers).map(([key, text]) => ({ text, path: [...path, 'headers', key] })),
  ];
}

export function compileProbe(name: string, entry: Entry, report: Report): Probe {
  const path = ['probes', name];
  checkAddress(entry.url, [...path, 'url'], report);
  checkTemplates(probeTemplates(name, entry), undefined, report);
  for (const [header, pattern] of Object.entries(entry.expect.headers))
    if (pattern !== null && !isRegExp(pattern)) {
      const at = [...path, 'expect', 'headers', header];
      report(
        'SBX006',
        at,
        `"${pattern}" is not a regular expression.`,
        'Escape what is meant literally with \\.',
      );
    }
  const { status, headers, latency } = entry.expect;
  return { name, ...entry, expect: { status, headers, latency } };
}

function isRegExp(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'i') instanceof RegExp;
  } catch {
    return false;
  }
}
