import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import nock from 'nock';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/index.ts';

let folder: string;
let called: string[];
const note = ({ url }: { readonly url: string }): void => void called.push(new URL(url).hostname);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-quiet-'));
  called = [];
  nock.disableNetConnect();
  nock.enableNetConnect(/^127\.0\.0\.1:/);
  nock.emitter.on('no match', note);
});
afterEach(() => {
  nock.emitter.off('no match', note);
  nock.enableNetConnect();
  nock.restore();
  rmSync(folder, { recursive: true, force: true });
});

test('an installation without channels calls nobody: no telemetry, no look for updates', async () => {
  const env = {
    PORT: '0',
    SIGNALBOX_DB: join(folder, 'signalbox.db'),
    SIGNALBOX_ADMIN_TOKEN: 'an-example-token-of-the-administrator',
  };
  const app = await startApp(await loadConfig({ env, cwd: folder }), { log: pino({ level: 'silent' }) });
  try {
    for (const path of ['/healthz', '/docs', '/openapi.json'])
      expect((await fetch(new URL(path, app.url))).status, path).toBe(200);
  } finally {
    await app.stop();
  }
  expect(new Set(called)).toEqual(new Set(['127.0.0.1']));
  // … and it would have been noticed.
  await expect(fetch('http://telemetry.example/')).rejects.toThrow('fetch failed');
  expect(called).toContain('telemetry.example');
});
