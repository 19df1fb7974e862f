import type { z } from 'zod';
import { checkTopics } from '../core/feed-topics.ts';
import { runbookArgs } from '../core/runbook-args.ts';
import { Refusal } from '../domain/errors.ts';
import { isObject, type Json, type JsonObject } from '../domain/json.ts';
import { DEFAULT_CAPABILITY, RISKS, type Runbook, type Step, type StepWait } from '../domain/runbook.ts';
import { isSecretName } from '../domain/redact.ts';
import { referencesIn, type Reference } from '../domain/step-template.ts';
import { checkApproval, type Staff } from './approvers.ts';
import { checkCel } from './cel.ts';
import type { Path, Report } from './problem.ts';
import type { runbook } from './shape.ts';
import { suggest } from './suggest.ts';
import { checkArgument } from './templates.ts';

type Entry = z.output<typeof runbook>;
type StepsEntry = Extract<Entry['executor'], { kind: 'steps' }>;
type StepEntry = StepsEntry['steps'][number];
type WaitEntry = NonNullable<StepEntry['wait']>;
type CallEntry = NonNullable<StepEntry['compensate']>;

/** What steps are checked against: the runbook that they belong to, and those that there are. */
export interface Around {
  /** The outer runbook, as far as it could be read; its arguments closed. */
  readonly outer: Omit<Partial<Entry>, 'args'> & { readonly args: JsonObject };
  readonly runbooks: ReadonlyMap<string, Entry>;
  /** Also those that could not be read. */
  readonly named: ReadonlySet<string>;
  readonly staff: Staff;
  readonly report: Report;
}

/** Checks the steps of a runbook: what they call, what with, what they wait for and for how long. */
export function checkSteps({ steps }: StepsEntry, around: Around, path: Path): void {
  const { report, outer } = around;
  const earlier = new Set<string>();
  for (const [index, step] of steps.entries()) {
    const at = [...path, 'steps', index];
    if (earlier.has(step.name))
      report('SBX006', [...at, 'name'], `Two steps are called "${step.name}".`, 'Rename one of them.');
    const { wait, compensate } = step;
    const call = callOf(step);
    if (!call === !wait || (wait && (step.args || compensate)))
      report(
        'SBX006',
        at,
        `The step "${step.name}" has to call a runbook or to wait, and not both.`,
        'Write runbook and args, or wait.',
      );
    if (call) checkCall(call, earlier, around, at);
    if (wait) checkWait(wait, around, [...at, 'wait']);
    earlier.add(step.name);
    if (compensate) checkCall(compensate, earlier, around, [...at, 'compensate']);
  }
  if (outer.bounds && outer.bounds.steps < steps.length)
    report(
      'SBX006',
      [...path.slice(0, 2), 'bounds', 'steps'],
      `${steps.length} steps do not fit into bounds.steps: ${outer.bounds.steps}.`,
      'Raise the bound.',
    );
}

const callOf = ({ runbook: name, args }: StepEntry): CallEntry | undefined =>
  name === undefined ? undefined : { runbook: name, args };

function checkCall(call: CallEntry, earlier: ReadonlySet<string>, around: Around, path: Path): void {
  const { runbooks, named, outer, report } = around;
  const inner = runbooks.get(call.runbook);
  const at = [...path, 'runbook'];
  if (!named.has(call.runbook)) {
    const mend = suggest(call.runbook, named, 'Define it under runbooks.');
    report('SBX025', at, `There is no runbook "${call.runbook}".`, mend);
  }
  const references = checkReferences(call.args ?? {}, earlier, around, [...path, 'args']);
  if (!inner) return;
  const unfit = unfitness(call.runbook, inner, outer);
  if (unfit) report('SBX025', at, unfit.message, unfit.mend);
  if (inner.approval && references.some(({ path: from }) => from?.[0] === 'steps'))
    report(
      'SBX016',
      [...path, 'args'],
      `${call.runbook} needs an approval, and whoever gives it cannot see what a step will return.`,
      'Fill it from ${args.name}, or let a step wait for an approval.',
    );
  checkFit(call, inner, outer.args, report, [...path, 'args']);
}

/** Why this runbook can be no step of the outer one, if so. */
function unfitness(
  name: string,
  inner: Entry,
  outer: Around['outer'],
): { message: string; mend: string } | undefined {
  const { kind } = inner.executor;
  if (kind === 'steps')
    return { message: `${name} has steps itself, and steps do not nest.`, mend: 'Write its steps out.' };
  if (kind === 'remote')
    return {
      message: `${name} is run by a program elsewhere, and a step runs where its job does.`,
      mend: 'Let a step start it and another wait for its event.',
    };
  const offered = outer.capability ?? DEFAULT_CAPABILITY;
  if (inner.capability !== DEFAULT_CAPABILITY && inner.capability !== offered)
    return {
      message: `${name} needs a worker with "${inner.capability}", and its steps run where the whole does.`,
      mend: `Add capability: ${inner.capability} to the runbook that has the steps.`,
    };
  if (inner.bounds.concurrency !== undefined)
    return {
      message: `${name} may run ${inner.bounds.concurrency} at a time, which steps do not count towards.`,
      mend: 'Bound the runbook that has the steps instead.',
    };
  if (outer.risk && RISKS.indexOf(inner.risk) > RISKS.indexOf(outer.risk))
    return {
      message: `${name} is ${inner.risk}, and what calls it only ${outer.risk}.`,
      mend: `Write risk: ${inner.risk} there, too.`,
    };
  return undefined;
}

/** Each placeholder has to be an argument that always has a value, or what an earlier step returned. */
function checkReferences(
  args: JsonObject,
  earlier: ReadonlySet<string>,
  { outer, report }: Around,
  path: Path,
): Reference[] {
  return textsIn(args, path).flatMap(({ text, at }) => {
    const found = referencesIn(text);
    for (const { text: whole, path: from } of found) {
      if (from?.[0] === 'args') checkArgument(from[1], outer.args, at, report);
      else if (from === undefined)
        report(
          'SBX016',
          at,
          `"${whole}" is not a placeholder of a step.`,
          'Write ${args.name} or ${steps.name.field}; the environment is read by the runbook that is called.',
        );
      else if (!earlier.has(from[1]))
        report(
          'SBX016',
          at,
          `"${whole}": there is no earlier step "${from[1]}".`,
          suggest(from[1], earlier, `Earlier steps: ${[...earlier].join(', ') || 'none'}.`),
        );
      else if (from.slice(2).some(isNeverKept))
        report(
          'SBX016',
          at,
          `"${whole}" is named as a secret, and what steps return is kept without its secrets.`,
          'Let the runbook that is called read the secret itself, from ${env:NAME} or ${file:/run/secrets/name}.',
        );
    }
    return found;
  });
}

/** A count may be named so in the plural (`tokens: 812`), and is kept. */
const isNeverKept = (name: string): boolean => isSecretName(name) && !name.endsWith('s');

function textsIn(value: Json, at: Path): { text: string; at: Path }[] {
  if (typeof value === 'string') return [{ text: value, at }];
  if (Array.isArray(value)) return value.flatMap((item: Json, index) => textsIn(item, [...at, index]));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, item]) => textsIn(item, [...at, name]));
}

/** Whether the arguments fit the called runbook's schema, as far as one can tell before anything is filled in. */
function checkFit(call: CallEntry, inner: Entry, outer: JsonObject, report: Report, path: Path): void {
  const args = call.args ?? {};
  const declared = isObject(inner.args['properties']) ? inner.args['properties'] : {};
  const properties: Record<string, Json> = { ...declared };
  for (const [name, value] of Object.entries(args)) {
    const found = textsIn(value, []).flatMap(({ text }) => referencesIn(text));
    if (found.length === 0 || !Object.hasOwn(declared, name)) continue;
    const given = typeOf(value, found, outer);
    const wanted = typeIn(declared[name]);
    if (
      given !== undefined &&
      wanted !== undefined &&
      given !== wanted &&
      `${given} ${wanted}` !== 'integer number'
    )
      report(
        'SBX026',
        [...path, name],
        `${call.runbook} takes ${name} as ${wanted}, and this is ${given}.`,
        'Fill it with a value of that kind.',
      );
    properties[name] = true;
  }
  const { required = [], additionalProperties = false } = inner.args;
  const schema = { type: 'object', properties, required, additionalProperties };
  try {
    runbookArgs({ name: call.runbook, args: schema }, args);
  } catch (error) {
    // A schema that does not compile is reported where it stands.
    if (error instanceof Refusal) report('SBX026', path, error.message, 'Write what the runbook takes.');
  }
}

/** The JSON type that a value with placeholders will have, where that is certain. */
function typeOf(value: Json, [first]: readonly Reference[], outer: JsonObject): string | undefined {
  if (typeof value !== 'string') return Array.isArray(value) ? 'array' : 'object';
  if (!first?.whole) return 'string';
  if (first.path?.[0] !== 'args' || first.path.length > 2) return undefined;
  const properties = isObject(outer['properties']) ? outer['properties'] : {};
  return typeIn(properties[first.path[1]]);
}

const typeIn = (schema: Json | undefined): string | undefined =>
  isObject(schema) && typeof schema['type'] === 'string' ? schema['type'] : undefined;

function checkWait(wait: WaitEntry, { outer, staff, report }: Around, path: Path): void {
  const kinds = ['approval', 'event', 'for'] as const;
  if (kinds.filter((kind) => wait[kind] !== undefined).length !== 1)
    report('SBX006', path, 'A step waits for one thing.', 'Write approval, event or for.');
  if (wait.approval)
    checkApproval(wait.approval, outer.permission, staff, [...path.map(String), 'approval'], report);
  if (wait.event === undefined) {
    if (wait.when !== undefined || wait.timeout !== undefined)
      report(
        'SBX006',
        path,
        'when and timeout belong to an event.',
        'Write event as well, or leave them out.',
      );
    return;
  }
  if (!isTopic(wait.event))
    report(
      'SBX006',
      [...path, 'event'],
      `"${wait.event}" names no event.`,
      'Write noun.verb, or noun.* for all of a noun.',
    );
  if (wait.timeout === undefined)
    report('SBX011', path, 'It would wait without end.', 'Add a deadline, such as timeout: 1h');
  if (wait.when !== undefined) checkCel(wait.when, ['event', 'args', 'steps'], [...path, 'when'], report);
}

function isTopic(event: string): boolean {
  try {
    checkTopics([event]);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** The steps with the runbooks that they call in their place. `called` knows only what the checks let pass. */
export function compileSteps({ steps }: StepsEntry, called: (name: string) => Runbook | undefined): Step[] {
  const compileCall = ({ runbook: name, args = {} }: CallEntry) => {
    const found = called(name);
    return found && { runbook: found, args };
  };
  return steps.flatMap((step): Step[] => {
    const { name, wait, compensate } = step;
    if (wait) return [{ name, wait: compileWait(wait) }];
    const entry = callOf(step);
    const call = entry && compileCall(entry);
    return call ? [{ name, ...call, compensate: compensate && compileCall(compensate) }] : [];
  });
}

function compileWait({ approval, event, when, timeout = 0, for: duration = 0 }: WaitEntry): StepWait {
  if (approval) return { kind: 'approval', approval };
  if (event !== undefined) return { kind: 'event', event, when, timeout };
  return { kind: 'time', duration };
}
