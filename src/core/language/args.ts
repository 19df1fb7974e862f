import { clip } from '../../domain/clip.ts';
import { isObject, type Json } from '../../domain/json.ts';
import { unfit, unknownArgument, wrong } from './explain.ts';
import { findFlag, type Field, type Spec } from './fields.ts';
import { quote } from './quote.ts';
import type { Token } from './tokenize.ts';
import { fromJson, fromText, loose, settle } from './values.ts';

/** A flag taken apart: `--name`, `--name=value`, `--name:=json`, `--name.key=value`. */
interface Flag {
  readonly name: string;
  /** Keys behind the dots. */
  readonly path: readonly string[];
  readonly value: string | undefined;
  /** The value is JSON (`:=`). */
  readonly json: boolean;
}

/** The words after the command's name, being filled into its arguments. */
interface State {
  readonly spec: Spec;
  readonly args: Record<string, Json>;
  readonly words: string[];
}

/**
 * Reads positional words and flags into arguments by name, in their canonical form except for dates.
 * @throws Refusal `invalid_argument`, with what was expected and the command's example.
 */
export function readArgs(spec: Spec, tokens: readonly Token[], from: number): Record<string, Json> {
  const state: State = { spec, args: {}, words: [] };
  let at = from;
  for (let token = tokens[at]; token; token = tokens[at]) {
    if (token.flag) at = readFlag(state, tokens, at);
    else if (token.text === '--' && !token.quoted) {
      for (const rest of tokens.slice(at + 1)) state.words.push(rest.text);
      break;
    } else {
      state.words.push(token.text);
      at++;
    }
  }
  fillPositional(state);
  return state.args;
}

function takeApart(text: string): Flag {
  const equals = text.indexOf('=', 2);
  const json = equals > 2 && text[equals - 1] === ':';
  const name = text.slice(2, equals < 0 ? undefined : json ? equals - 1 : equals);
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  if (!name.includes('.')) return { name, path: [], value, json };
  const [head = '', ...path] = name.split('.');
  return { name: head, path, value, json };
}

/** Returns the position after the flag and its value. */
function readFlag(state: State, tokens: readonly Token[], at: number): number {
  const { spec } = state;
  const flag = takeApart(tokens[at]?.text ?? '');
  const field = findFlag(spec, flag.name);
  const next = tokens[at + 1];
  const nextValue = next && !next.flag && (next.text !== '--' || next.quoted) ? next.text : undefined;

  if (!field && readNegation(state, flag)) return at + 1;
  if (!field || flag.path.length > 0) {
    const object = field ?? spec.rest;
    if (!object || object.type !== 'json')
      throw unknownArgument(spec, [flag.name, ...flag.path].join('.'), '--');
    const text = flag.value ?? nextValue;
    const value = flag.json
      ? asJson(spec, object, flag.value ?? '')
      : text === undefined
        ? true
        : loose(text);
    putInside(state, object, field ? flag.path : [flag.name, ...flag.path], value);
    return at + (flag.value === undefined && nextValue !== undefined ? 2 : 1);
  }
  if (flag.json) {
    put(state, field, asJson(spec, field, flag.value ?? ''));
    return at + 1;
  }
  if (flag.value !== undefined) {
    putText(state, field, flag.value);
    return at + 1;
  }
  if (field.type === 'boolean') {
    const said = next && !next.quoted && /^(?:true|false)$/i.test(next.text) ? next.text : undefined;
    putText(state, field, said ?? 'true');
    return at + (said === undefined ? 1 : 2);
  }
  if (nextValue === undefined) throw wrong(spec, `--${field.flag} needs a value.`);
  putText(state, field, nextValue);
  return at + 2;
}

/** `--no-x`: false, an empty list, or nothing at all, for arguments that can be so. */
function readNegation(state: State, flag: Flag): boolean {
  if (!flag.name.startsWith('no-') || flag.value !== undefined || flag.path.length > 0) return false;
  const name = flag.name.slice(3);
  const field = findFlag(state.spec, name);
  if (!field) {
    if (!state.spec.rest || name === '') return false;
    putInside(state, state.spec.rest, [name], false);
    return true;
  }
  if (field.type === 'boolean') put(state, field, false);
  else if (field.type === 'list') put(state, field, []);
  else if (field.nullable) put(state, field, null);
  else throw wrong(state.spec, `${field.name} cannot be taken away with --no-${field.flag}.`);
  return true;
}

function putText(state: State, field: Field, text: string): void {
  const { spec, args } = state;
  try {
    if (field.type === 'list' && field.item) {
      const list = args[field.name] ?? [];
      const item = fromText(field.item, text);
      args[field.name] = Array.isArray(list) ? [...(list as readonly Json[]), item] : [item];
    } else put(state, field, fromText(field, text));
  } catch (error) {
    throw unfit(spec, field, error, text);
  }
}

function put(state: State, field: Field, value: Json): void {
  if (Object.hasOwn(state.args, field.name)) throw wrong(state.spec, `${field.name} is given twice.`);
  state.args[field.name] = value;
}

/** Sets `path` inside an object argument, next to what other flags and `--args '{…}'` put there. */
function putInside(state: State, field: Field, path: readonly string[], value: Json): void {
  const full = `--${path.join('.')}`;
  if (path.includes('__proto__') || path.includes(''))
    throw wrong(state.spec, `${full} is not a name for a value.`);
  const given = state.args[field.name];
  const root: Record<string, Json> = { ...(isObject(given) ? given : {}) };
  let here = root;
  for (const key of path.slice(0, -1)) {
    const inner = here[key];
    if (Object.hasOwn(here, key) && !isObject(inner)) throw wrong(state.spec, `${full} is given twice.`);
    const copy: Record<string, Json> = { ...(Object.hasOwn(here, key) && isObject(inner) ? inner : {}) };
    here[key] = copy;
    here = copy;
  }
  const last = path.at(-1) ?? '';
  if (Object.hasOwn(here, last)) throw wrong(state.spec, `${full} is given twice.`);
  here[last] = value;
  state.args[field.name] = root;
}

function asJson(spec: Spec, field: Field, text: string): Json {
  try {
    return settle(field, fromJson(text));
  } catch (error) {
    throw unfit(spec, field, error, text);
  }
}

function fillPositional(state: State): void {
  const { spec, words } = state;
  const open = spec.positional.filter(
    (field) => field.type === 'list' || !Object.hasOwn(state.args, field.name),
  );
  for (const [index, word] of words.entries()) {
    const field = open[index] ?? (open.at(-1)?.type === 'list' ? open.at(-1) : undefined);
    if (!field) throw tooMany(spec, words, open.length);
    putText(state, field, word);
  }
}

function tooMany(spec: Spec, words: readonly string[], fit: number): Error {
  const takes = spec.positional.map((field) => field.name).join(', ');
  const extra = clip(words[fit] ?? '', 40);
  const last = spec.positional.at(-1);
  if (
    fit > 0 &&
    last &&
    fit === spec.positional.length &&
    last.type === 'string' &&
    !last.values &&
    !last.kind
  ) {
    const meant = [spec.words, ...words.slice(0, fit - 1), words.slice(fit - 1).join(' ')];
    const typed = meant.map((word, i) => (i === 0 ? word : quote(word))).join(' ');
    if (typed.length <= 200)
      return wrong(
        spec,
        `"${extra}" is one word too many; put quotes around words that belong together: ${typed}.`,
      );
  }
  return wrong(spec, `"${extra}" is one word too many: ${spec.words} takes ${takes || 'nothing but flags'}.`);
}
