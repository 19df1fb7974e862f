import { hash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createCommandSet } from '../../../src/core/command-set.ts';
import { command, type FileData } from '../../../src/core/command.ts';
import { ok, refusedAnswer } from '../support/world.ts';
import { restWorld } from './world.ts';

const page = command({
  name: 'page.get',
  summary: 'A file.',
  args: z.object({ id: z.string().describe('Which') }),
  needs: 'page:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/pages/{id}', sends: 'file' },
  examples: [{ text: 'page get --id x', json: { command: 'page.get', args: { id: 'x' } } }],
  run: async () => ({ text: '' }),
});

let world: Awaited<ReturnType<typeof restWorld>>;
beforeEach(async () => {
  world = await restWorld({ commands: createCommandSet([page]) });
});
afterEach(() => world.close());

const answerWith = (file: Omit<FileData, 'sha256'>) => {
  const sha256 = hash('sha256', Buffer.from(file.content, file.encoding), 'hex');
  world.answerWith((message) => ok(message, { ...file, sha256 }));
  return `"${sha256}"`;
};

test('a file is sent as its bytes, to be saved and never to be shown under this origin', async () => {
  const html = '<script>alert("Grüße")</script>';
  const tag = answerWith({
    name: "it's (a) “page”.html",
    mediaType: 'text/html',
    encoding: 'utf8',
    content: html,
  });
  const response = await world.call('/v1/pages/x');
  expect([response.status, await response.text()]).toEqual([200, html]);
  const { headers } = response;
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(headers.get('content-disposition')).toBe(
    "attachment; filename*=UTF-8''it%27s%20%28a%29%20%E2%80%9Cpage%E2%80%9D.html",
  );
  expect(headers.get('content-security-policy')).toBe("sandbox; default-src 'none'");
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('etag')).toBe(tag);
  expect(world.messages[0]?.body).toEqual({ command: 'page.get', args: { id: 'x' } });
});

test('one of bytes is decoded, and not sent again to whoever holds it', async () => {
  const bytes = Buffer.from([0, 255, 10, 13]);
  const content = bytes.toString('base64');
  const tag = answerWith({
    name: 'a.bin',
    mediaType: 'application/octet-stream',
    encoding: 'base64',
    content,
  });
  const response = await world.call('/v1/pages/x');
  expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
  expect(response.headers.get('content-type')).toBe('application/octet-stream');
  expect((await world.call('/v1/pages/x', { headers: { 'if-none-match': tag } })).status).toBe(304);
});

test('a refusal is a problem document as everywhere', async () => {
  world.answerWith(() => refusedAnswer('not_found', 'There is none.'));
  const response = await world.call('/v1/pages/x');
  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
});

test('the OpenAPI document says that it is a file', async () => {
  const document = (await (await world.call('/openapi.json')).json()) as {
    paths: Record<string, { get: { responses: Record<string, unknown> } }>;
  };
  expect(document.paths['/v1/pages/{id}']?.get.responses['200']).toEqual({
    $ref: '#/components/responses/File',
  });
});
