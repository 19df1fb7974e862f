import { compileCel } from '../core/cel.ts';
import { Refusal } from '../domain/errors.ts';
import type { Path, Report } from './problem.ts';

/** Reports an expression that does not compile, or that speaks of anything but these variables. */
export function checkCel(expression: string, variables: readonly string[], path: Path, report: Report): void {
  try {
    compileCel(expression, variables);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const mend = `Write a CEL expression over ${variables.join(', ')}; text stands in 'single quotes'.`;
    report('SBX019', path, error.message, mend);
  }
}
