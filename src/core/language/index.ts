import { isObject, type Json, type JsonObject } from '../../domain/json.ts';
import { Refusal } from '../../domain/errors.ts';
import type { LanguageFactory, Reading } from '../language.ts';
import type { Body } from '../message.ts';
import { readArgs } from './args.ts';
import { settleDates } from './dates.ts';
import { explain, unfit, wrongAt } from './explain.ts';
import type { Field, Spec } from './fields.ts';
import { formatInvocation } from './format.ts';
import { parseBody, readJson } from './json.ts';
import { buildNames, type Names } from './names.ts';
import { readPlainly } from './natural/index.ts';
import { checkText, tokenize, trimPasted, type Token } from './tokenize.ts';

interface Context {
  readonly now: Date;
  readonly who: string;
}

/** Said to the program rather than part of the command, as in Slack: `/signalbox task list`. */
const CALL = /^(?:\/signalbox|\/sb|@?signalbox)(?:\s+|$)/i;
/** Two words are a slip of the hand; a sentence has at least three. */
const SENTENCE = 3;

/**
 * The command language over a set of commands: the pattern form, the JSON form, and plain language for the commonest.
 * @throws Error when the commands contradict one another (one name twice).
 */
export const createLanguage: LanguageFactory = (commands) => {
  const names = buildNames(commands);
  return {
    read: async (body, context) => read(names, body, context),
    format: (invocation) => formatInvocation(names, invocation),
  };
};

function read(names: Names, body: Body, context: Context): Reading | Promise<Reading> {
  if ('command' in body) return readCommand(names, body.command, body.args, context);
  checkText(body.text);
  const text = trimPasted(body.text).replace(CALL, '');
  if (text.startsWith('{')) {
    const { command, args } = parseBody(text);
    return readCommand(names, command, args, context);
  }
  const tokens = tokenize(text);
  const found = names.resolve(tokens);
  if (found) return finish(names, found.spec, readArgs(found.spec, tokens, found.used), context, true);
  return readSentence(names, text, tokens, context);
}

function readCommand(
  names: Names,
  name: string,
  args: unknown,
  context: Context,
): Reading | Promise<Reading> {
  const spec = names.find(name);
  if (!spec) throw names.unknown(name.slice(0, 200).toWellFormed().trim().split(/\s+/));
  return finish(names, spec, readJson(spec, args), context, true);
}

/** Dates are settled and commands among the arguments read apart, so that others wait for nothing. */
function finish(
  names: Names,
  spec: Spec,
  args: Record<string, Json>,
  context: Context,
  sure: boolean,
): Reading | Promise<Reading> {
  const given = (fields: readonly Field[]) => fields.filter((field) => args[field.name] !== undefined);
  const nested = given(spec.nested);
  if (nested.length === 0 && given(spec.dates).length === 0) return validate(spec, args, sure);
  const fail = (field: Field, error: unknown, value: Json): Error => unfit(spec, field, error, value);
  return checkNested(names, spec, nested, args, context)
    .then(() => settleDates(spec, args, context.now, fail))
    .then((settled) => validate(spec, settled, sure));
}

/** A command among the arguments is kept as it was given, but has to be one. */
async function checkNested(
  names: Names,
  spec: Spec,
  nested: readonly Field[],
  args: JsonObject,
  context: Context,
): Promise<void> {
  for (const { name } of nested) {
    const body = nestedBody(args[name]);
    if (!body)
      throw wrongAt(spec, name, `${name}: expected a command in quotes, or {"command": …, "args": {…}}.`);
    const reading = await asArgument(name, () => read(names, body, context));
    if (!reading.sure)
      throw wrongAt(
        spec,
        name,
        `${name}: write it as a command: ${formatInvocation(names, reading.invocation)}`,
      );
  }
}

/** Undefined for what is neither a text nor a command with its arguments. */
function nestedBody(value: Json | undefined): Body | undefined {
  if (typeof value === 'string') return { text: value };
  if (!isObject(value) || typeof value['command'] !== 'string') return undefined;
  return { command: value['command'], args: value['args'] };
}

async function asArgument<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const problem = `${name}: ${error.message}`;
    throw new Refusal('invalid_argument', problem, { argument: { name, problem }, cause: error });
  }
}

function validate(spec: Spec, args: Readonly<Record<string, Json>>, sure: boolean): Reading {
  const { command } = spec;
  const parsed = command.args.safeParse(args);
  if (!parsed.success) throw explain(spec, args, parsed.error.issues);
  return { command, args: parsed.data, invocation: { command: command.name, args }, sure };
}

async function readSentence(
  names: Names,
  text: string,
  tokens: readonly Token[],
  context: Context,
): Promise<Reading> {
  const refusal = names.unknown(tokens.slice(0, 3).map((token) => token.text));
  if (tokens.length < SENTENCE) throw refusal;
  const reading = await readPlainly(text, context, (name) => names.find(name)?.command);
  const spec = reading && names.find(reading.command);
  if (!spec) throw refusal;
  try {
    return await finish(names, spec, readArgs(spec, reading.tokens, 0), context, false);
  } catch (error) {
    // A sentence that only looked like the command is an unknown one, not a wrong argument.
    if (error instanceof Refusal) throw refusal;
    throw error;
  }
}
