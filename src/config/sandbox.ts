import type { BreakerRules } from '../domain/breaker.ts';
import type { Sandbox } from '../domain/catalog.ts';
import type { Runbook } from '../domain/runbook.ts';
import { parse } from './parse.ts';
import type { Report } from './problem.ts';
import * as shape from './shape.ts';
import { suggest } from './suggest.ts';

/** What runs may reach, where the file makes the workspace a sandbox; undefined where it does not. */
export function compileSandbox(
  section: unknown,
  runbooks: ReadonlyMap<string, { readonly executor: { readonly kind: Runbook['executor']['kind'] } }>,
  report: Report,
): Sandbox | undefined {
  if (section === undefined) return undefined;
  // Written without anything, it still is one: nothing may be reached.
  const read = parse(shape.sandbox, section ?? {}, ['sandbox'], report) ?? shape.sandbox.parse({});
  const shells = [...runbooks].filter(([, { executor }]) => executor.kind === 'shell').map(([name]) => name);
  read.shell.forEach((name, index) => {
    if (shells.includes(name)) return;
    const mend = suggest(name, shells, 'Name a runbook whose executor is of kind shell.');
    report('SBX006', ['sandbox', 'shell', index], `There is no shell runbook "${name}".`, mend);
  });
  return read;
}

export function compileBreakers(section: unknown, report: Report): BreakerRules {
  const read = parse(shape.breakers, section ?? {}, ['breakers'], report) ?? shape.breakers.parse({});
  if (read.open > read.cap)
    report('SBX006', ['breakers'], 'breakers: the first time open is above its cap.', 'Raise the cap.');
  return read;
}
