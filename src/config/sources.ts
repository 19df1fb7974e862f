import type { z } from 'zod';
import { compileCel } from '../core/cel.ts';
import type { Rule, Source } from '../domain/catalog.ts';
import { Refusal } from '../domain/errors.ts';
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
    checkExpression(rule.when, [...at, 'when'], report);
    for (const [name, expression] of Object.entries(rule.args))
      checkExpression(expression, [...at, 'args', name], report);
    if (rule.as !== undefined) checkExpression(rule.as, [...at, 'as'], report);
  });
}

function checkExpression(expression: string, path: Path, report: Report): void {
  try {
    compileCel(expression, VARIABLES);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const mend = `Write a CEL expression over ${VARIABLES.join(', ')}; text stands in 'single quotes'.`;
    report('SBX019', path, error.message, mend);
  }
}
