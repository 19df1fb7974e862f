import { Refusal } from '../../domain/errors.ts';
import type { Json } from '../../domain/json.ts';
import { unfit, unknownArgument, wrong } from './explain.ts';
import type { Spec } from './fields.ts';
import { checkJson, settle } from './values.ts';

/**
 * The JSON form typed as text: `{"command":"task.create","args":{…}}`.
 * @throws Refusal `malformed` when it is not that.
 */
export function parseBody(text: string): { command: string; args: unknown } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    const where = cause instanceof Error ? ` ${cause.message}` : '';
    throw new Refusal('malformed', `A text that begins with { is read as JSON, and this is none:${where}.`, {
      cause,
    });
  }
  const { command, args, ...other } = body as Record<string, unknown>;
  const [extra] = Object.keys(other);
  if (typeof command !== 'string' || extra !== undefined)
    throw new Refusal('malformed', 'Expected {"command": "task.create", "args": {…}} and nothing else.');
  return { command, args };
}

/**
 * Arguments given as JSON, in their canonical form except for dates. Unknown names are refused.
 * @throws Refusal `invalid_argument`
 */
export function readJson(spec: Spec, given: unknown): Record<string, Json> {
  if (given === undefined || given === null) return {};
  if (typeof given !== 'object' || Array.isArray(given)) throw wrong(spec, 'args: expected an object.');
  const args: Record<string, Json> = {};
  for (const [name, value] of Object.entries(given as Record<string, Json | undefined>)) {
    if (value === undefined) continue;
    const field = spec.byName.get(name);
    if (!field) throw unknownArgument(spec, name, '');
    checkJson(value);
    try {
      args[name] = settle(field, value);
    } catch (error) {
      throw unfit(spec, field, error, value);
    }
  }
  return args;
}
