import { Ajv } from 'ajv';
import type { z } from 'zod';
import { allOf } from '../domain/approval.ts';
import { isObject, type JsonObject } from '../domain/json.ts';
import { isSecretName } from '../domain/redact.ts';
import { DEFAULT_CAPABILITY, type Runbook } from '../domain/runbook.ts';
import { calledBy } from '../domain/step.ts';
import { checkAddress } from './address.ts';
import { checkArgv, checkVariable } from './argv.ts';
import { checkCel } from './cel.ts';
import { checkApproval, type Staff } from './approvers.ts';
import type { Code, Path, Report } from './problem.ts';
import { isPermission } from './roles.ts';
import type { runbook } from './shape.ts';
import { checkSteps, compileSteps } from './steps.ts';
import { suggest } from './suggest.ts';
import { checkTemplates, type Template } from './templates.ts';

type Entry = z.output<typeof runbook>;

/** Without these a runbook could run for ever, for anybody, or without end. */
const BOUNDS = new Set(['timeout', 'tries', 'bounds', 'permission', 'max', 'logLines', 'outputBytes']);
export const missingInRunbook = (key: string): Code => (BOUNDS.has(key) ? 'SBX011' : 'SBX005');

/** What a runbook is checked against besides itself. */
export interface Known {
  readonly staff: Staff;
  readonly probes: ReadonlySet<string>;
  readonly runbooks: ReadonlyMap<string, Entry>;
  /** Also those that could not be read. */
  readonly named: ReadonlySet<string>;
}

export function compileRunbook(name: string, entry: Entry, known: Known, report: Report): Runbook {
  checkRunbook(name, { approval: undefined, ...entry }, known, report);
  const { approval, executor, permission, tries, bounds, ...rest } = entry;
  const compiled = compileExecutor(executor, known);
  const runbook = {
    name,
    ...rest,
    args: closed(entry.args),
    permission: permission as Runbook['permission'],
    approval,
    tries: { ...tries, budget: tries.budget },
    bounds: { ...bounds, concurrency: bounds.concurrency, queued: bounds.queued },
    executor: compiled,
  };
  // Whoever lets the whole run lets each of its steps run.
  const asked = [runbook, ...calledBy(runbook)].flatMap((one) => one.approval ?? []);
  return { ...runbook, approval: allOf(asked) };
}

function compileExecutor(executor: Entry['executor'], known: Known): Runbook['executor'] {
  if (executor.kind === 'http') return { ...executor, body: executor.body, result: executor.result };
  if (executor.kind !== 'steps') return executor;
  const called = (name: string): Runbook | undefined => {
    const entry = known.runbooks.get(name);
    if (entry === undefined || entry.executor.kind === 'steps') return undefined;
    return compileRunbook(name, entry, known, () => undefined);
  };
  return { kind: 'steps', steps: compileSteps(executor, called) };
}

/**
 * Checks what was read of a runbook: all of it, or the parts that have the right shape where others have not. What is
 * absent could not be read; an approval that is `undefined` was not written.
 */
export function checkRunbook(name: string, entry: Partial<Entry>, known: Known, report: Report): void {
  const path = ['runbooks', name];
  const { permission, tries, approval, executor } = entry;
  const args = entry.args && closed(entry.args);
  if (args) checkArgs(args, [...path, 'args'], report);
  if (permission !== undefined && !isPermission(permission))
    report('SBX007', [...path, 'permission'], `"${permission}" is not a permission.`, 'Write noun:verb.');
  if (tries && tries.backoff > tries.cap)
    report(
      'SBX006',
      [...path, 'tries'],
      `${path.join('.')}: the first backoff is above its cap.`,
      'Raise the cap.',
    );
  if (approval) checkApproval(approval, permission, known.staff, [...path, 'approval'], report);
  else if (entry.risk === 'financial' && Object.hasOwn(entry, 'approval'))
    report(
      'SBX012',
      path,
      `${path.join('.')} is financial and needs no approval.`,
      'Add an approval with a quorum.',
    );
  if (executor && args) checkExecutor(executor, args, known.probes, [...path, 'executor'], report);
  if (executor?.kind === 'steps' && args)
    checkSteps(executor, { ...known, outer: { ...entry, args }, report }, [...path, 'executor']);
  // Whoever offers the usual capability runs programs and requests, and a program elsewhere is not to be given those.
  if (executor?.kind === 'remote' && (entry.capability ?? DEFAULT_CAPABILITY) === DEFAULT_CAPABILITY)
    report(
      'SBX006',
      [...path, 'capability'],
      `${path.join('.')} is run by a program elsewhere, which has to offer a capability of its own.`,
      'Name it, such as capability: gpu.',
    );
}

/** Closed against undeclared arguments unless it says otherwise. */
const closed = (written: JsonObject): JsonObject => ({
  type: 'object',
  properties: {},
  additionalProperties: false,
  ...written,
});

function checkArgs(schema: JsonObject, path: Path, report: Report): void {
  if (schema['type'] !== 'object')
    report(
      'SBX015',
      path,
      'The arguments of a runbook are an object.',
      'Write type: object, then properties.',
    );
  // It would be refused at every run: what is asked for is stored, shown and approved.
  for (const name of Object.keys(isObject(schema['properties']) ? schema['properties'] : {}))
    if (isSecretName(name))
      report(
        'SBX024',
        [...path, 'properties', name],
        `The argument "${name}" would carry a secret.`,
        'Fill it from ${env:NAME} or ${file:/run/secrets/name} in the executor instead.',
      );
  try {
    new Ajv({ strict: true, strictTypes: true, logger: false }).compile(schema);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    report('SBX015', path, `The schema does not compile: ${reason}.`, 'Write it as JSON Schema draft 7.');
  }
}

function checkExecutor(
  executor: Entry['executor'],
  args: JsonObject,
  probes: ReadonlySet<string>,
  path: Path,
  report: Report,
): void {
  checkTemplates(executorTemplates(executor, path), args, report);
  if (executor.kind === 'shell') {
    checkArgv(
      executor.argv.map((text, index) => ({ text, path: [...path, 'argv', index] })),
      report,
    );
    for (const [name, text] of Object.entries(executor.env))
      checkVariable(name, { text, path: [...path, 'env', name] }, report);
  }
  if (executor.kind === 'http') {
    checkAddress(executor.url, [...path, 'url'], report);
    for (const part of ['result', 'usage'] as const)
      for (const [field, expression] of Object.entries(executor[part] ?? {}))
        checkCel(expression, ['status', 'headers', 'body'], [...path, part, field], report);
  }
  if (executor.kind === 'probe' && !probes.has(executor.probe)) {
    const mend = suggest(executor.probe, probes, 'Define it under probes.');
    report('SBX017', [...path, 'probe'], `There is no probe "${executor.probe}".`, mend);
  }
}

/** Every text of the executor that placeholders may stand in. */
export function executorTemplates(executor: Runbook['executor'] | Entry['executor'], path: Path): Template[] {
  const each = (key: string, texts: Readonly<Record<string, string>>): Template[] =>
    Object.entries(texts).map(([name, text]) => ({ text, path: [...path, key, name] }));
  if (executor.kind === 'probe' || executor.kind === 'steps' || executor.kind === 'remote') return [];
  if (executor.kind === 'shell')
    return [
      ...executor.argv.map((text, index) => ({ text, path: [...path, 'argv', index] })),
      ...each('env', executor.env),
    ];
  const body = executor.body === undefined ? [] : [{ text: executor.body, path: [...path, 'body'] }];
  return [
    { text: executor.url, path: [...path, 'url'], url: true },
    ...each('headers', executor.headers),
    ...body,
  ];
}
