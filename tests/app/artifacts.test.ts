import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { soon } from '../worker/support.ts';
import { startServer } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const CONFIG = `
runbooks:
  write:
    summary: Write two variants of a note
    risk: write
    permission: runbook:write
    timeout: 30s
    tries: { max: 1 }
    bounds: { logLines: 10, outputBytes: 10000 }
    executor:
      kind: shell
      argv:
        - node
        - -e
        - |
          const say = (message) => require('node:fs').writeSync(3, JSON.stringify(message) + '\\n');
          for (const name of ['a.md', 'b.md']) say({ artifact: { name, content: '# ' + name } });
          say({ usage: { tokens: 12, cost: 0.25 } });
budgets:
  once: { per: month, runs: 1 }
`;

const REMOTE = `
runbooks:
  render:
    summary: Render five frames
    risk: write
    permission: runbook:render
    timeout: 30s
    tries: { max: 1 }
    bounds: { logLines: 10, outputBytes: 10000 }
    capability: gpu
    executor: { kind: remote }
`;

async function serve(config: string) {
  const folder = tempFolder();
  writeFileSync(join(folder, 'signalbox.yaml'), config);
  const server = await startServer({
    folder,
    env: { SIGNALBOX_ADMIN_TOKEN: 'an-example-token-of-the-administrator' },
  });
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await server.fetch(path, { method, ...text, headers: { ...json, ...headers } });
    return {
      status: response.status,
      headers: response.headers,
      data: (await response.json()) as Record<string, unknown>,
    };
  };
  return { server, ask };
}

test('artifacts as large as their bounds over REST, and no larger', async () => {
  const { ask } = await serve(REMOTE);
  await ask('POST', '/v1/jobs', { runbook: 'render' });
  const { data } = await ask('POST', '/v1/jobs/claim', { capabilities: ['gpu'] });
  const [{ claim }] = data['items'] as [{ claim: string }];
  const complete = (artifacts: object[]) =>
    ask('POST', '/v1/jobs/JOB-1/complete', { claim, result: {}, artifacts });
  const file = (n: number, bytes: number) => ({
    name: `${n}.bin`,
    kind: 'file',
    content: Buffer.alloc(bytes, n).toString('base64'),
  });
  const most = [1, 2, 3, 4, 5].map((n) => file(n, 1_000_000));
  const beyond = await complete([...most, file(6, 1)]);
  expect([beyond.status, beyond.data['detail']]).toEqual([
    413,
    'The artifacts of a run have at most 5000000 bytes; these have 5000001.',
  ]);
  expect((await complete([...most, ...most])).data['detail']).toBe('The body is larger than 8388608 bytes.');
  expect((await complete(most)).status).toBe(200);
  const edit = (content: string) => ask('PATCH', '/v1/artifacts/ART-1', { content }, { 'if-match': '*' });
  expect(await edit(file(7, 1_000_000).content)).toMatchObject({ status: 200, data: { size: 1_000_000 } });
  const over = await edit(file(7, 1_000_001).content);
  expect([over.status, over.data['detail']]).toEqual([
    413,
    'An artifact has at most 1000000 bytes; this has 1000001.',
  ]);
  expect((await ask('POST', '/v1/commands', { text: 'x'.repeat(1_048_576) })).status).toBe(413);
});

test('artifacts, usage and budgets over REST, from a program to its reader', async () => {
  const { server, ask } = await serve(CONFIG);

  expect((await ask('POST', '/v1/jobs', { runbook: 'write' })).status).toBe(201);
  await soon(
    async () => expect((await ask('GET', '/v1/jobs/JOB-1')).data).toMatchObject({ state: 'succeeded' }),
    15_000,
  );
  const { items } = (await ask('GET', '/v1/artifacts?job=JOB-1')).data as {
    items: { id: string; name: string }[];
  };
  expect(items.map(({ id, name }) => [id, name])).toEqual([
    ['ART-2', 'b.md'],
    ['ART-1', 'a.md'],
  ]);

  const one = await ask('GET', '/v1/artifacts/ART-1');
  const tag = one.headers.get('etag') ?? '';
  const change = { content: '# Better' };
  expect((await ask('PATCH', '/v1/artifacts/ART-1', change)).status).toBe(428);
  expect((await ask('PATCH', '/v1/artifacts/ART-1', change, { 'if-match': '"other"' })).status).toBe(412);
  expect(await ask('PATCH', '/v1/artifacts/ART-1', change, { 'if-match': tag })).toMatchObject({
    status: 200,
    data: { size: 8 },
  });
  expect((await ask('PATCH', '/v1/artifacts/ART-1', change, { 'if-match': tag })).status).toBe(412);
  const content = await server.fetch('/v1/artifacts/ART-1/content');
  expect([content.headers.get('content-type'), await content.text()]).toEqual([
    'text/plain; charset=utf-8',
    '# Better',
  ]);

  expect((await ask('POST', '/v1/artifacts/ART-1/accept')).data).toMatchObject({ state: 'accepted' });
  expect(await ask('PATCH', '/v1/artifacts/ART-1', change, { 'if-match': '*' })).toMatchObject({
    status: 409,
    data: { code: 'conflict' },
  });
  expect(
    (await ask('POST', '/v1/artifacts/ART-2/reject', { reason: 'the other is better' })).data,
  ).toMatchObject({ state: 'rejected' });

  const spent = { name: 'once', spent: true, bounds: [{ name: 'runs', used: 1, most: 1, left: 0 }] };
  const used = { runbook: 'write', units: { tokens: 12 }, cost: '0.25' };
  expect((await ask('GET', '/v1/usage?period=month')).data).toMatchObject({
    items: [used],
    budgets: [spent],
  });
  const refused = await ask('POST', '/v1/jobs', { runbook: 'write' });
  expect(refused).toMatchObject({ status: 429, data: { code: 'rate_limited' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await (await server.fetch('/metrics')).text()).toContain(
    'signalbox_job_cost_total{runbook="write"} 0.25',
  );
});
