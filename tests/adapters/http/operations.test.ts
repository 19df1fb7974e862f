import { afterEach, beforeEach, expect, test } from 'vitest';
import { mountOperations, type Readiness } from '../../../adapters/http/operations.ts';
import type { Http } from '../../../adapters/http.ts';
import { listening, now } from '../support/world.ts';

let http: Http & { url: string };
let ready: () => Promise<Readiness>;

beforeEach(async () => {
  http = await listening();
  ready = async () => ({ ok: true, checks: { database: 'ok' } });
  mountOperations({
    http: http.app,
    version: '1.2.3',
    ready: () => ready(),
    registry: { contentType: 'text/plain; version=0.0.4', metrics: async () => 'signalbox_up 1\n' },
    channels: () => [
      { name: 'rest', health: { state: 'on' } },
      { name: 'slack', health: { state: 'off', reason: 'set <SLACK_BOT_TOKEN>' } },
    ],
  });
});

afterEach(() => http.close(now()));

test('health and metrics', async () => {
  expect(await (await fetch(`${http.url}/healthz`)).json()).toEqual({ ok: true });
  const metrics = await fetch(`${http.url}/metrics`);
  expect(metrics.headers.get('content-type')).toContain('version=0.0.4');
  expect(await metrics.text()).toBe('signalbox_up 1\n');
});

test('readiness is 503 while something fails, or cannot be told', async () => {
  expect((await fetch(`${http.url}/readyz`)).status).toBe(200);
  ready = async () => ({ ok: false, checks: { database: 'locked' } });
  const locked = await fetch(`${http.url}/readyz`);
  expect(locked.status).toBe(503);
  expect(await locked.json()).toEqual({ ok: false, checks: { database: 'locked' } });
  ready = async () => {
    throw new Error('inside');
  };
  expect((await fetch(`${http.url}/readyz`)).status).toBe(503);
});

test('the page shows what is on and why not, escaped, and loads nothing', async () => {
  const response = await fetch(http.url);
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toMatch(/style-src 'sha256-/);
  const page = await response.text();
  expect(page).toContain('set &lt;SLACK_BOT_TOKEN&gt;');
  expect(page).toContain('href="/docs"');
  expect(page).not.toMatch(/https?:\/\/|<script/);
});
