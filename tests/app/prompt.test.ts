import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/index.ts';
import { outbox } from '../../src/domain/records.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import { tempFolder } from '../support/temp.ts';

const CONFIG = `
roles:
  approver: ['approval:*']
runbooks:
  hello:
    summary: Says hello
    risk: write
    permission: runbook:hello
    timeout: 10s
    tries: { max: 1 }
    bounds: { logLines: 10, outputBytes: 1000 }
    executor: { kind: shell, argv: [node, --version] }
  guarded:
    summary: Waits for somebody
    risk: write
    permission: runbook:guarded
    timeout: 10s
    tries: { max: 1 }
    bounds: { logLines: 10, outputBytes: 1000 }
    approval: { quorum: 1, roles: [approver], timeout: 1h }
    executor: { kind: shell, argv: [node, --version] }
`;

/** The whole program, and whoever sits at its terminal. */
async function sit(folder: string, yaml = CONFIG) {
  writeFileSync(join(folder, 'signalbox.yaml'), yaml);
  const config = await loadConfig({ env: { PORT: '0', SIGNALBOX_DB: join(folder, 'test.db') }, cwd: folder });
  const input = new PassThrough();
  const output = Object.assign(new PassThrough(), { isTTY: true });
  let shown = '';
  output.setEncoding('utf8').on('data', (chunk: string) => (shown += chunk));
  const log = pino({ level: 'silent' });
  const app = await startApp(config, { log, terminal: { input, output, onExit: () => undefined } });
  onTestFinished(() => app.stop(1_000));
  return {
    app,
    type: (line: string) => input.write(`${line}\r`),
    sees: (text: RegExp) => vi.waitFor(() => expect(shown).toMatch(text), { timeout: 10_000, interval: 10 }),
    shown: () => shown,
  };
}

test('the end of a job and a subscribed event appear at the prompt that asked for them', async () => {
  const { app, type, sees, shown } = await sit(tempFolder());
  await app.prompt?.();
  type('job run hello');
  await sees(/✓ JOB-1 is queued: hello\.[^]*JOB-1 succeeded: hello/);
  type('subscribe task.created');
  await sees(/✓ SUB-1: task\.created will be told on terminal:prompt\./);
  type('task create Lamp');
  await sees(/✓ Opened TSK-1[^]*task\.created TSK-1 \(admin/);
  type('unsubscribe');
  await sees(/✓ Removed SUB-1\./);
  expect(shown().match(/JOB-1 succeeded/g)).toHaveLength(1);
});

test('what was not told before the end waits for the next prompt, and is shown below the banner', async () => {
  const folder = tempFolder();
  const first = await sit(folder);
  await first.app.prompt?.();
  first.type('subscribe task.*');
  await first.sees(/SUB-1/);
  await first.app.stop(1_000);
  await createTask(folder);

  const second = await sit(folder);
  await vi.waitFor(() => expect(waiting(folder)).resolves.toEqual(['queued']), { interval: 20 });
  expect(second.shown()).toBe('');
  await second.app.prompt?.();
  await second.sees(/signalbox> [^]*task\.created TSK-1/);
});

test('where nobody sits, what is meant for a prompt is not kept', async () => {
  const folder = tempFolder();
  const { app, type, sees } = await sit(folder);
  await app.prompt?.();
  type('subscribe task.*');
  await sees(/SUB-1/);
  await app.stop(1_000);
  await createTask(folder);

  const config = await loadConfig({
    env: { PORT: '0', SIGNALBOX_DB: join(folder, 'test.db') },
    cwd: folder,
  });
  const headless = await startApp(config, { log: pino({ level: 'silent' }) });
  onTestFinished(() => headless.stop(1_000));
  await vi.waitFor(() => expect(waiting(folder)).resolves.toEqual(['sent']), {
    timeout: 5_000,
    interval: 20,
  });
});

test('the remarks name what nobody can approve, until somebody can', async () => {
  const folder = tempFolder();
  const { app, type, sees } = await sit(folder);
  expect(app.notes).toEqual([
    'Runbook guarded needs 1 approver of role approver; there is none, so add one: person add NAME --roles approver --key',
  ]);
  await app.prompt?.();
  type('person add ben --roles approver');
  await sees(/✓ Added person ben/);
  await app.stop(1_000);
  expect((await sit(folder)).app.notes).toEqual([]);
});

test('a probe of this server reaches it on any port, and opens nothing else on this machine', async () => {
  const neighbour = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void neighbour.close());
  await once(neighbour, 'listening');
  const { port } = neighbour.address() as AddressInfo;
  const probes = `
probes:
  self: { url: '\${self}/healthz' }
  neighbour: { url: 'http://127.0.0.1:${port}/' }
`;
  const { app, type, sees, shown } = await sit(tempFolder(), probes);
  await app.prompt?.();
  type('probe run self');
  await sees(/JOB-1 succeeded: probe:self\n.*"state":"ok"/);
  type('probe run neighbour');
  await sees(/JOB-2 failed: probe:neighbour\n127\.0\.0\.1 is not a public address/);
  expect(shown()).not.toContain('JOB-2 succeeded');
});

/** What the outbox holds for the prompt. */
async function waiting(folder: string): Promise<string[]> {
  const store = openSqlite({ path: join(folder, 'test.db') });
  try {
    const rows = await store.transaction('main', (tx) => tx.find(outbox, { where: { channel: 'terminal' } }));
    return rows.map((row) => row.state);
  } finally {
    await store.close();
  }
}

/** A task that was opened while nobody routed events. */
async function createTask(folder: string): Promise<void> {
  const store = openSqlite({ path: join(folder, 'test.db') });
  try {
    await store.transaction('main', (tx) =>
      tx.append({
        event: 'task.created',
        actor: 'admin',
        target: 'TSK-1',
        correlationId: tx.id(),
        cause: null,
        details: {},
      }),
    );
  } finally {
    await store.close();
  }
}
