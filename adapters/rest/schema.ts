import { z } from 'zod';
import type { Command, CommandSet } from '../../src/core/command.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';

/** The arguments of a command as JSON Schema (2020-12), an object schema. */
export interface ArgsSchema {
  readonly type: 'object';
  readonly properties: { readonly [name: string]: JsonObject };
  readonly required?: readonly string[];
}

/** The schemas of all commands, derived once from their own definitions. */
export function schemasOf(commands: CommandSet): ReadonlyMap<string, ArgsSchema> {
  return new Map(commands.all.map((command) => [command.name, schemaOf(command)]));
}

function schemaOf(command: Command): ArgsSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(command.args, { io: 'input', unrepresentable: 'any' });
  return { properties: {}, ...schema, additionalProperties: false } as unknown as ArgsSchema;
}

/** The schema without some of its properties: what is left for the body when the address gives the others. */
export function without(schema: ArgsSchema, names: readonly string[]): ArgsSchema {
  const kept = Object.entries(schema.properties).filter(([name]) => !names.includes(name));
  const required = (schema.required ?? []).filter((name) => !names.includes(name));
  const { required: _, ...rest } = schema;
  return { ...rest, properties: Object.fromEntries(kept), ...(required.length > 0 && { required }) };
}

/**
 * The schemas with what they define for themselves (`$defs`, of recursive types) moved to a place of the document that
 * they become part of: a reference counts from the document's root.
 */
export function hoisted(
  schemas: ReadonlyMap<string, ArgsSchema>,
  place: string,
): { readonly schemas: ReadonlyMap<string, ArgsSchema>; readonly definitions: JsonObject } {
  const moved = new Map<string, ArgsSchema>();
  const definitions: Record<string, Json> = {};
  for (const [name, schema] of schemas) {
    const text = JSON.stringify(schema).replaceAll('"#/$defs/', `"#${place}/${name}.`);
    const { $defs = {}, ...own } = JSON.parse(text) as ArgsSchema & { readonly $defs?: JsonObject };
    moved.set(name, own);
    for (const [definition, value] of Object.entries($defs)) definitions[`${name}.${definition}`] = value;
  }
  return { schemas: moved, definitions };
}
