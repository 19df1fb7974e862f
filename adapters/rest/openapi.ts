import type { Command, CommandSet } from '../../src/core/command.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { COMPONENTS, ERRORS, KEYED, OWN_PATHS } from './openapi-own.ts';
import { hoisted, without, type ArgsSchema } from './schema.ts';

export interface OpenApiOptions {
  readonly commands: CommandSet;
  readonly schemas: ReadonlyMap<string, ArgsSchema>;
  readonly publicUrl: string;
  readonly version: string;
}

/** The OpenAPI 3.1 document: the adapter's own paths, and one operation per command that has a route. */
export function openApi({ commands, publicUrl, version, ...options }: OpenApiOptions): JsonObject {
  const { schemas, definitions } = hoisted(options.schemas, '/components/schemas');
  const paths: Record<string, Record<string, Json>> = structuredClone(OWN_PATHS);
  for (const command of commands.all) {
    const schema = schemas.get(command.name);
    if (command.route === undefined || schema === undefined) continue;
    const item = (paths[command.route.path] ??= {});
    item[command.route.method] = operation(command, command.route, schema);
  }
  const argsSchemas = Object.fromEntries(
    [...schemas].map(([name, schema]) => [`args.${name}`, schema as unknown as Json]),
  );
  return {
    openapi: '3.1.1',
    info: {
      title: 'Signalbox',
      version,
      description:
        'One durable command line on every channel. Every command runs through `POST /v1/commands`; many have a route of their own.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: publicUrl }],
    security: [{ bearer: [] }],
    tags: tagsOf(commands),
    paths,
    components: {
      ...COMPONENTS,
      schemas: { ...(COMPONENTS['schemas'] as JsonObject), ...argsSchemas, ...definitions },
    },
  };
}

const nounOf = (command: Command): string => command.name.split('.', 1)[0] ?? command.name;

function tagsOf(commands: CommandSet): Json {
  const nouns = new Set(commands.all.filter((command) => command.route).map(nounOf));
  return ['command', 'event', 'token', 'operation', ...nouns]
    .filter((name, index, all) => all.indexOf(name) === index)
    .map((name) => ({ name }));
}

function operation(command: Command, route: NonNullable<Command['route']>, schema: ArgsSchema): JsonObject {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  const rest = without(schema, inPath);
  const inQuery = route.method === 'get' || route.method === 'delete';
  const parameters: Json[] = [
    ...inPath.map((name) => parameter(name, 'path', schema, true)),
    ...(inQuery ? Object.keys(rest.properties) : []).map((name) =>
      parameter(name, 'query', rest, rest.required?.includes(name) ?? false),
    ),
  ];
  if (route.method !== 'get') parameters.push(...KEYED);
  if (route.ifMatch === 'required') parameters.push({ $ref: '#/components/parameters/IfMatch' });
  return {
    operationId: command.name,
    summary: command.summary,
    description: `The command \`${command.name.replaceAll('.', ' ')}\`; risk: ${command.risk}; permission: \`${command.needs}\`.`,
    tags: [nounOf(command)],
    parameters,
    ...(!inQuery && { requestBody: bodyOf(rest) }),
    responses: {
      [String(route.status ?? 200)]: {
        $ref: `#/components/responses/${route.sends === 'file' ? 'File' : 'Data'}`,
      },
      // What only reads waits for nobody.
      ...(command.risk !== 'read' && { '202': { $ref: '#/components/responses/Waiting' } }),
      ...ERRORS,
    },
  };
}

function parameter(name: string, place: 'path' | 'query', schema: ArgsSchema, required: boolean): Json {
  const property = schema.properties[name] ?? { type: 'string' };
  const { description } = property;
  return {
    name,
    in: place,
    required,
    schema: property,
    ...(typeof description === 'string' && { description }),
  };
}

function bodyOf(schema: ArgsSchema): JsonObject {
  return {
    required: (schema.required ?? []).length > 0,
    content: { 'application/json': { schema: schema as unknown as Json } },
  };
}
