import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runSend, send } from '../../src/cli/send.ts';
import { tempFolder } from '../support/temp.ts';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A server on loopback that answers everything alike. */
async function serve(status: number, body: string, headers: Record<string, string> = {}) {
  const seen: Seen[] = [];
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    seen.push({ method: req.method, url: req.url, headers: req.headers, body: await readText(req) });
    res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  };
  const server = createServer((req, res) => void answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const paper = () => {
  let text = '';
  return { write: (more: string) => (text += more), text: () => text };
};
const answer = (text: string, status = 'ok') =>
  JSON.stringify({
    id: '1',
    status,
    invocation: { command: 'status', args: {} },
    reply: { text },
    correlationId: 'c',
  });
const problem = (status: number, detail: string, suggestions: string[] = []) =>
  JSON.stringify({ type: 'about:blank', title: 't', status, detail, code: 'x', suggestions });

async function run(
  status: number,
  body: string,
  options: { json?: boolean; headers?: Record<string, string> } = {},
) {
  const { url, seen } = await serve(status, body, options.headers);
  const output = paper();
  const code = await send({ url, token: 'fake-token', text: 'status', json: options.json, output });
  return { code, text: output.text(), seen };
}

describe('send', () => {
  test('posts the text as the contract says and prints the reply', async () => {
    const { url, seen } = await serve(200, answer('All well'));
    const output = paper();
    const text = 'task create "Fix lögin 🚦"';
    expect(await send({ url, token: 'fake-token', text, idempotencyKey: 'k-1', output })).toBe(0);
    expect(output.text()).toBe('All well\n');
    expect(seen).toMatchObject([
      {
        method: 'POST',
        url: '/v1/commands',
        body: JSON.stringify({ text }),
        headers: {
          authorization: 'Bearer fake-token',
          'content-type': 'application/json',
          'idempotency-key': 'k-1',
        },
      },
    ]);
  });

  test('waiting for an approval is no failure', async () => {
    expect(await run(202, answer('JOB-1 waits', 'pending_approval'))).toMatchObject({
      code: 0,
      text: 'JOB-1 waits\n',
    });
  });

  test('a refusal is printed with its suggestions', async () => {
    const refused = await run(400, problem(400, 'There is no command "taks".', ['task list']));
    expect(refused).toMatchObject({ code: 1, text: '✗ There is no command "taks".\n  task list\n' });
  });

  test('a limit says when to come back', async () => {
    const limited = await run(429, problem(429, 'Too many.'), { headers: { 'retry-after': '7' } });
    expect(limited).toMatchObject({ code: 1, text: '✗ Too many.\n  Try again in 7 s.\n' });
  });

  test('--json prints the document, of a refusal too', async () => {
    const body = problem(403, 'No.');
    expect(await run(403, body, { json: true })).toMatchObject({ code: 1, text: `${body}\n` });
  });

  test('what is not Signalbox is not taken for it', async () => {
    expect(await run(200, '<html>')).toMatchObject({
      code: 3,
      text: expect.stringContaining('not as Signalbox does'),
    });
    expect((await run(502, 'Bad Gateway')).code).toBe(3);
    expect((await run(503, problem(503, 'Stopping.'))).code).toBe(3);
  });

  test('a redirect is not followed', async () => {
    const target = await serve(200, answer('stolen'));
    const { code } = await run(307, '', { headers: { location: `${target.url}/v1/commands` } });
    expect(code).toBe(3);
    expect(target.seen).toEqual([]);
  });

  test('nobody there', async () => {
    const { url } = await serve(200, '');
    const output = paper();
    const fetch = () => Promise.reject(new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }));
    expect(await send({ url, token: 't', text: 'status', output, fetch })).toBe(3);
    expect(output.text()).toContain(`cannot be reached at ${url} (ECONNREFUSED)`);
  });

  test('escape sequences do not reach the terminal', async () => {
    expect((await run(200, answer('a\u001B[2Jb'))).text).toBe('a�[2Jb\n');
  });
});

describe('signalbox send', () => {
  const start = async (args: string[], env: Record<string, string>, dotenv = '') => {
    const cwd = tempFolder();
    writeFileSync(join(cwd, '.env'), dotenv);
    const [output, errors] = [paper(), paper()];
    const code = await runSend({ args, env, cwd, output, errors });
    return { code, text: output.text(), errors: errors.text() };
  };

  test('token and address come from the environment over .env, or from --url', async () => {
    const { url, seen } = await serve(200, answer('fine'));
    const dotenv = `SIGNALBOX_TOKEN=from-file\nSIGNALBOX_URL=${url}\n`;
    expect(await start(['status'], {}, dotenv)).toMatchObject({ code: 0, text: 'fine\n' });
    expect(
      (await start(['--url', url, '--key', 'k', 'status'], { SIGNALBOX_TOKEN: 'real' }, dotenv)).code,
    ).toBe(0);
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer from-file', 'Bearer real']);
  });

  test('what a job runs says by which job it was run', async () => {
    const { url, seen } = await serve(200, answer('fine'));
    const env = { SIGNALBOX_TOKEN: 'an-example-token', SIGNALBOX_URL: url };
    await start(['status'], { ...env, SIGNALBOX_CAUSE: 'JOB-12' });
    await start(['status'], env);
    expect(seen.map(({ headers }) => headers['signalbox-cause'])).toEqual(['JOB-12', undefined]);
  });

  test('without an address it is the port that is listened on', async () => {
    const { url } = await serve(200, answer('fine'));
    expect((await start(['status'], { SIGNALBOX_TOKEN: 't', PORT: new URL(url).port })).code).toBe(0);
  });

  test.for([
    [[], {}, 'no command'],
    [[' '], {}, 'no command'],
    [['task', 'list'], {}, 'one argument'],
    [['--loud', 'status'], {}, '--loud'],
    [['--key', 'a b', 'status'], {}, '--key'],
    [['--url', 'ftp://x', 'status'], {}, 'not an http'],
    [['status'], { SIGNALBOX_TOKEN: '' }, 'SIGNALBOX_TOKEN is not set'],
    [['status'], { SIGNALBOX_TOKEN: 'tökén' }, 'visible ASCII'],
  ] as const)('%j with %j is wrong usage', async ([args, env, says]) => {
    const { code, errors, text } = await start([...args], { SIGNALBOX_TOKEN: 't', ...env });
    expect(code).toBe(2);
    expect(errors).toContain(says);
    expect(errors).toContain('Usage: signalbox send');
    expect(text).toBe('');
  });
});
