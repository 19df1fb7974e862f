import type { Json } from '../../domain/json.ts';
import { Refusal } from '../../domain/errors.ts';
import type { LanguageFactory, Reading } from '../language.ts';
import type { Body } from '../message.ts';
import { readArgs } from './args.ts';
import { settleDates } from './dates.ts';
import { explain, unfit } from './explain.ts';
import type { Spec } from './fields.ts';
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
  if (found) return finish(found.spec, readArgs(found.spec, tokens, found.used), context, true);
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
  return finish(spec, readJson(spec, args), context, true);
}

/** Dates are settled apart, so that commands without one wait for nothing. */
function finish(
  spec: Spec,
  args: Record<string, Json>,
  context: Context,
  sure: boolean,
): Reading | Promise<Reading> {
  const dated = spec.dates.some((field) => args[field.name] !== undefined);
  if (!dated) return validate(spec, args, sure);
  const fail = (field: Parameters<typeof unfit>[1], error: unknown, value: Json): Error =>
    unfit(spec, field, error, value);
  return settleDates(spec, args, context.now, fail).then((settled) => validate(spec, settled, sure));
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
  const refusal = names.unknown(tokens.slice(0, 2).map((token) => token.text));
  if (tokens.length < SENTENCE) throw refusal;
  const reading = await readPlainly(text, context, (name) => names.find(name)?.command);
  const spec = reading && names.find(reading.command);
  if (!spec) throw refusal;
  try {
    return await finish(spec, readArgs(spec, reading.tokens, 0), context, false);
  } catch (error) {
    // A sentence that only looked like the command is an unknown one, not a wrong argument.
    if (error instanceof Refusal) throw refusal;
    throw error;
  }
}
