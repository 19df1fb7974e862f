import { existsSync } from 'node:fs';
import type { Catalog, Source } from '../domain/catalog.ts';
import { isObject } from '../domain/json.ts';
import { compileBudgets } from './budgets.ts';
import { deepFreeze } from './freeze.ts';
import { entries, parse } from './parse.ts';
import { compilePrincipals } from './people.ts';
import { compileProbe, probeTemplates } from './probes.ts';
import { dotted, type Report } from './problem.ts';
import { compileRoles } from './roles.ts';
import { checkRunbook, compileRunbook, executorTemplates, missingInRunbook } from './runbooks.ts';
import { checkSecrets } from './secrets.ts';
import { compileBreakers, compileSandbox } from './sandbox.ts';
import * as shape from './shape.ts';
import { compileSource } from './sources.ts';
import { environmentNames, fileNames, type Template } from './templates.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What compiling needs besides the file: where problems and remarks go, and which variables are set. */
export interface Surroundings {
  readonly report: Report;
  readonly note: (text: string) => void;
  readonly env: Environment;
}

export interface Compiled {
  readonly catalog: Catalog;
  /** All webhook sources; the catalog has those that are on. */
  readonly sources: ReadonlyMap<string, Source>;
}

/**
 * Compiles what `signalbox.yaml` says (already parsed YAML) to the frozen catalog; everything that is wrong goes to
 * `report`, and the result counts only when nothing did.
 */
export function compile(value: unknown, { report, note, env }: Surroundings): Compiled {
  checkSecrets(value, report);
  const file = parse(shape.sections, value ?? {}, [], report) ?? known(value);
  const read = {
    roles: entries(shape.role, file.roles, ['roles'], report),
    people: entries(shape.principal, file.people, ['people'], report),
    agents: entries(shape.principal, file.agents, ['agents'], report),
    probes: entries(shape.probe, file.probes, ['probes'], report),
    sources: entries(shape.source, file.sources, ['sources'], report),
  };
  const roles = compileRoles(read.roles, report);
  // Entries that are broken elsewhere still count as defined, or one slip would be reported many times.
  const roleNames = new Set([...roles.map(({ name }) => name), ...names(file.roles)]);
  const principals = compilePrincipals(read, roleNames, report);
  const broken = new Map<string, Parameters<typeof checkRunbook>[1]>();
  const runbooks = entries(shape.runbook, file.runbooks, ['runbooks'], report, {
    missing: missingInRunbook,
    partly: (name, part) => broken.set(name, part),
  });
  const around = {
    staff: { roles, principals },
    probes: new Set(names(file.probes)),
    runbooks,
    named: new Set(names(file.runbooks)),
  };
  for (const [name, part] of broken) checkRunbook(name, part, around, report);
  const permissions = new Map(names(file.runbooks).map((name) => [name, runbooks.get(name)?.permission]));
  const catalog: Catalog = {
    workspace: file.workspace,
    roles,
    principals,
    runbooks: mapped(runbooks, (name, entry) => compileRunbook(name, entry, around, report)),
    probes: mapped(read.probes, (name, entry) => compileProbe(name, entry, report)),
    sources: mapped(read.sources, (name, entry) => compileSource(name, entry, report)),
    limits: parse(shape.limits, file.limits ?? {}, ['limits'], report) ?? shape.limits.parse({}),
    jobs: parse(shape.jobRules, file.jobs ?? {}, ['jobs'], report) ?? shape.jobRules.parse({}),
    sandbox: compileSandbox(file.sandbox, runbooks, report),
    breakers: compileBreakers(file.breakers, report),
    notify: env['SIGNALBOX_NOTIFY_SECRET'] !== undefined,
    budgets: compileBudgets(file.budgets, { staff: around.staff, runbooks: permissions }, report),
    allowedHosts: parse(shape.allowedHosts, file.allowedHosts ?? [], ['allowedHosts'], report) ?? [],
  };
  for (const name of catalog.sources.keys())
    if (principals.some((principal) => principal.name === name))
      report(
        'SBX010',
        ['sources', name],
        `"${name}" is already a person or an agent.`,
        'Give one another name.',
      );
  noteUnset(catalog, env, note);
  if (catalog.sandbox)
    note(
      `This workspace is a sandbox: its runs reach ${catalog.sandbox.allow.join(', ') || 'nothing'}, and no more.`,
    );
  return deepFreeze({
    catalog: { ...catalog, sources: usable(catalog, env, note) },
    sources: catalog.sources,
  });
}

/** The known sections of a file that has others besides, so that these are checked too. */
function known(value: unknown) {
  const sections = isObject(value) ? value : {};
  const allowed = Object.entries(sections).filter(
    ([key]) => key !== 'workspace' && Object.hasOwn(shape.sections.shape, key),
  );
  return shape.sections.parse(Object.fromEntries(allowed));
}

const names = (section: unknown): string[] =>
  typeof section === 'object' && section !== null ? Object.keys(section) : [];

function mapped<A, B>(
  map: ReadonlyMap<string, A>,
  compileOne: (name: string, entry: A) => B,
): Map<string, B> {
  return new Map(Array.from(map, ([name, entry]) => [name, compileOne(name, entry)]));
}

/** A source whose secret is not set cannot prove anything, so it is off: that is a note, not a problem. */
function usable(catalog: Catalog, env: Environment, note: (text: string) => void): Catalog['sources'] {
  return new Map(
    Array.from(catalog.sources).filter(([name, { secrets }]) => {
      const isSet = secrets.some((variable) => env[variable]);
      if (!isSet) note(`Webhook source ${name} is off: set ${secrets.join(' or ')} to turn it on.`);
      return isSet;
    }),
  );
}

function noteUnset(catalog: Catalog, env: Environment, note: (text: string) => void): void {
  const templates: Template[] = [
    ...Array.from(catalog.runbooks.values()).flatMap(({ name, executor }) =>
      executorTemplates(executor, ['runbooks', name]),
    ),
    ...Array.from(catalog.probes.values()).flatMap((probe) => probeTemplates(probe.name, probe)),
  ];
  for (const template of templates) {
    const what = dotted(template.path.slice(0, 2));
    for (const variable of environmentNames([template]))
      if (!env[variable]) note(`${what} needs ${variable}, which is not set.`);
    for (const file of fileNames([template]))
      if (!existsSync(file)) note(`${what} needs ${file}, which is not there.`);
  }
}
