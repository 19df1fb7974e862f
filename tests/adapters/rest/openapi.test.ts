import { Ajv2020 } from 'ajv/dist/2020.js';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { openApi } from '../../../adapters/rest/openapi.ts';
import { COMPONENTS } from '../../../adapters/rest/openapi-own.ts';
import { mountRoutes } from '../../../adapters/rest/routes.ts';
import { schemasOf } from '../../../adapters/rest/schema.ts';
import { command, type CommandSet } from '../../../src/core/command.ts';
import type { Action, Answer } from '../../../src/core/message.ts';
import { commandSet, unlimited } from '../support/world.ts';
import { restWorld } from './world.ts';

let world: Awaited<ReturnType<typeof restWorld>>;

beforeEach(async () => {
  world = await restWorld();
});
afterEach(() => world.close());

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name?: string; readonly in?: string; readonly $ref?: string }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: object } } };
  readonly responses: object;
}
interface Document {
  readonly servers: object;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: object };
}

test('the document is valid OpenAPI 3.1', async () => {
  const document = (await (await world.call('/openapi.json')).json()) as Document;
  const result = await new Validator().validate(document as unknown as Record<string, unknown>);
  expect(result.valid ? [] : result.errors).toEqual([]);
  expect(document.servers).toEqual([{ url: 'https://signalbox.example.test' }]);
});

test('commands’ routes become operations with their own schemas', async () => {
  const { paths, components } = (await (await world.call('/openapi.json')).json()) as Document;
  const edit = paths['/v1/tasks/{id}']?.['patch'];
  expect(edit?.operationId).toBe('task.edit');
  expect(edit?.parameters).toEqual([
    expect.objectContaining({ name: 'id', in: 'path', required: true }),
    { $ref: '#/components/parameters/IdempotencyKey' },
    { $ref: '#/components/parameters/Cause' },
    { $ref: '#/components/parameters/IfMatch' },
  ]);
  expect(edit?.requestBody?.content['application/json'].schema).toMatchObject({
    properties: { title: { type: 'string' } },
    additionalProperties: false,
  });
  expect(paths['/v1/tasks']?.['get']?.parameters.map((one) => one.name)).toEqual([
    'limit',
    'archived',
    'labels',
    'count',
  ]);
  expect(paths['/v1/tasks']?.['post']?.responses).toHaveProperty('201');
  // What only reads never waits for an approval.
  expect(paths['/v1/tasks']?.['post']?.responses).toHaveProperty('202');
  expect(paths['/v1/tasks']?.['get']?.responses).not.toHaveProperty('202');
  expect(Object.keys(paths['/v1/events'] ?? {})).toEqual(['get', 'post']);
  expect(components.schemas).toHaveProperty(['args.task.create']);
  // A recursive type, which its schema defines once and refers to.
  expect(components.schemas).toHaveProperty(['task.create.__schema0']);
});

test('every path of the document is served', async () => {
  const { paths } = openApi({
    commands: commandSet,
    schemas: schemasOf(commandSet),
    publicUrl: 'http://x',
    version: '0',
  }) as unknown as Document;
  for (const [path, item] of Object.entries(paths)) {
    if (['/healthz', '/readyz', '/metrics'].includes(path)) continue;
    const response = await world.call(path.replace('{id}', 'X-1'), { method: 'OPTIONS' });
    expect(response.status, path).toBe(204);
    for (const method of Object.keys(item))
      expect(response.headers.get('allow')).toContain(method.toUpperCase());
  }
});

test('two commands on one route are a mistake that does not start', () => {
  const twin = command({ ...commandSet.all[0], name: 'task.twin', args: z.object({}) } as Parameters<
    typeof command
  >[0]);
  const commands: CommandSet = { all: [...commandSet.all, twin], find: () => undefined };
  const options = {
    commands,
    schemas: schemasOf(commands),
    workspace: 'main',
    authenticator: world.authenticator.authenticator,
    admission: unlimited(),
    receive: () => Promise.reject(new Error('unused')),
  };
  expect(() => mountRoutes(world.http.app, options as unknown as Parameters<typeof mountRoutes>[1])).toThrow(
    'task.twin: post /v1/tasks',
  );
});

test('the docs page and all that it loads come from here under a policy of self', async () => {
  const page = await world.call('/docs');
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  const html = await page.text();
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '');
  expect(links).toHaveLength(4);
  for (const link of links) {
    const asset = await world.call(link);
    expect(asset.status, link).toBe(200);
    expect((await asset.bytes()).length).toBeGreaterThan(50);
  }
  expect(html).not.toMatch(/<script>|<style|https?:/);
});

test('the document names all that an answer may hold', () => {
  const action: Action = {
    label: 'Deny',
    style: 'danger',
    invocation: { command: 'approval.deny', args: { approval: 'APR-1' } },
    asks: ['reason'],
  };
  const answer: Answer = {
    id: '1',
    status: 'ok',
    invocation: { command: 'home', args: {} },
    reply: {
      text: 'x',
      data: {},
      actions: [action],
      job: 'JOB-1',
      card: {
        title: 'x',
        exact: 'x',
        facts: [
          { label: 'Asked by', text: 'ana' },
          { label: 'Until', at: '2026-03-02T09:00:00.000Z' },
        ],
        body: 'x',
        sections: [{ title: 'x', items: [{ text: 'x', actions: [action] }], none: 'x', more: 'x' }],
      },
    },
    correlationId: '1',
  };
  // Nothing that the document does not name may pass.
  const text = JSON.stringify({ components: COMPONENTS, $ref: '#/components/schemas/Answer' });
  const strict = text.replaceAll('"type":"object","required"', '"unevaluatedProperties":false,$&');
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const holds = ajv.compile(JSON.parse(strict) as Record<string, unknown>);
  expect(holds(answer) ? [] : holds.errors).toEqual([]);
  expect(holds({ ...answer, reply: { ...answer.reply, more: 'x' } })).toBe(false);
});
