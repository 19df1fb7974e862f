import type { z } from 'zod';
import type { Rule, Source } from '../domain/catalog.ts';
import { checkCel } from './cel.ts';
import type { Path, Report } from './problem.ts';
import type { source } from './shape.ts';
import { environmentReference } from './templates.ts';

type Entry = z.output<typeof source>;

/** What a rule's expressions may speak of. */
const VARIABLES = ['event', 'payload', 'headers'] as const;

export function compileSource(name: string, entry: Entry, report: Report): Source {
  const path = ['sources', name];
  const secrets = entry.secret.flatMap((written) => {
    const variable = environmentReference(written);
    if (variable === undefined)
      report(
        'SBX018',
        [...path, 'secret'],
        `${path.join('.')}: the secret is written in clear.`,
        'Write ${env:NAME}.',
      );
    return variable ?? [];
  });
  checkRules(entry.rules, [...path, 'rules'], report);
  return {
    name,
    kind: entry.kind,
    secrets,
    signatureHeader: entry.signatureHeader?.toLowerCase(),
    deliveryHeader: entry.deliveryHeader?.toLowerCase(),
    rules: entry.rules.map((rule) => ({ ...rule, as: rule.as })),
  };
}

function checkRules(
  rules: readonly (Omit<Rule, 'as'> & { as?: string | undefined })[],
  path: Path,
  report: Report,
) {
  const names = new Set<string>();
  rules.forEach((rule, index) => {
    const at = [...path, index];
    // The rule's name is part of the dedupe key, so two of one name would be taken for one.
    if (names.has(rule.name))
      report('SBX006', at, `Two rules are called "${rule.name}".`, 'Rename one of them.');
    names.add(rule.name);
    checkCel(rule.when, VARIABLES, [...at, 'when'], report);
    for (const [name, expression] of Object.entries(rule.args))
      checkCel(expression, VARIABLES, [...at, 'args', name], report);
    if (rule.as !== undefined) checkCel(rule.as, VARIABLES, [...at, 'as'], report);
  });
}
