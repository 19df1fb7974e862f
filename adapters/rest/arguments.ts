import type { Request } from 'express';
import { readObject } from '../http.ts';
import type { Route } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import type { ArgsSchema } from './schema.ts';

/** The query of a request, decoded as `application/x-www-form-urlencoded`. */
export function queryOf(req: { readonly url?: string | undefined }): URLSearchParams {
  const url = req.url ?? '';
  const start = url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : url.slice(start + 1));
}

/**
 * The arguments that a request to a command's route carries: from the path, then from the query (GET, DELETE) or the
 * JSON body. Values are checked by the command itself.
 * @throws Refusal `invalid_argument` for a name that the command does not know or that the address gives already.
 */
export async function argumentsOf(
  req: Request,
  schema: ArgsSchema,
  { maxBody }: Pick<Route, 'maxBody'>,
): Promise<JsonObject> {
  const path = Object.fromEntries(
    Object.entries(req.params).map(([name, value]) => [name, coerce(String(value), schema.properties[name])]),
  );
  const bare = req.method === 'GET' || req.method === 'HEAD' || req.method === 'DELETE';
  if (bare) return { ...fromQuery(queryOf(req), schema, path), ...path };
  const unexpected = queryOf(req).keys().next();
  if (!unexpected.done)
    throw new Refusal(
      'invalid_argument',
      `Send ${shown(unexpected.value)} in the JSON body, not in the query.`,
    );
  const body = (await readObject(req, maxBody)) as JsonObject;
  for (const name of Object.keys(body)) refuseGiven(name, path);
  return { ...body, ...path };
}

function fromQuery(query: URLSearchParams, schema: ArgsSchema, path: JsonObject): JsonObject {
  const args: Record<string, Json> = {};
  for (const name of new Set(query.keys())) {
    refuseGiven(name, path);
    const property = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    if (property === undefined) {
      const known = Object.keys(schema.properties).filter((one) => !Object.hasOwn(path, one));
      throw new Refusal(
        'invalid_argument',
        `${shown(name)} is not known here; known: ${known.join(', ') || 'nothing'}.`,
      );
    }
    const values = query.getAll(name);
    if (typesOf(property).includes('array'))
      args[name] = values.map((value) => coerce(value, itemsOf(property)));
    else if (values.length > 1)
      throw new Refusal('invalid_argument', `${shown(name)} is given more than once.`);
    else args[name] = coerce(values[0] ?? '', property);
  }
  return args;
}

function refuseGiven(name: string, path: JsonObject): void {
  if (Object.hasOwn(path, name))
    throw new Refusal('invalid_argument', `${shown(name)} is given by the address already; leave it out.`);
}

/** Text as the type that the schema asks for; as it is where that does not fit, for the command to refuse. */
function coerce(text: string, property: JsonObject | undefined): Json {
  const types = property ? typesOf(property) : [];
  if ((types.includes('number') || types.includes('integer')) && /^-?\d+(\.\d+)?$/.test(text))
    return Number(text);
  if (types.includes('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** JSON Schema types of a property, those of its alternatives included. */
function typesOf(property: JsonObject): readonly string[] {
  const { type, anyOf } = property;
  const own = Array.isArray(type) ? type : [type];
  const others = Array.isArray(anyOf) ? anyOf.flatMap((one) => typesOf(one as JsonObject)) : [];
  return [...own, ...others].filter((one) => typeof one === 'string');
}

function itemsOf(property: JsonObject): JsonObject | undefined {
  const { items } = property;
  return typeof items === 'object' && items !== null ? (items as JsonObject) : undefined;
}

const shown = (name: string): string => `"${name.slice(0, 50)}"`;
