import { expect, test, vi } from 'vitest';
import { startServer } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

/** Not so often that a sender's limit is met. */
const soon = <T>(check: () => Promise<T>): Promise<T> =>
  vi.waitFor(check, { interval: 100, timeout: 20_000 });

interface Shown {
  readonly state: string;
  readonly error: string | null;
  readonly waitsFor: unknown;
  readonly result: unknown;
  readonly steps: readonly { step: string; state: string; output: unknown; undone?: string }[];
}

test('the example configuration releases in steps, and takes back what did not come out well', async () => {
  const server = await startServer({
    folder: tempFolder(),
    env: { SIGNALBOX_ADMIN_TOKEN: 'an-example-token-of-the-administrator' },
  });
  const job = async (path: string, body?: unknown): Promise<Shown> => {
    const headers = { 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    return (await (await server.fetch(path, { ...sent, headers })).json()) as Shown;
  };
  const over = (ref: string): Promise<Shown> =>
    soon(async () => {
      const shown = await job(`/v1/jobs/${ref}`);
      expect(['succeeded', 'failed']).toContain(shown.state);
      return shown;
    });

  await job('/v1/jobs', { runbook: 'release', args: { service: 'web' } });
  await job('/v1/jobs', { runbook: 'release', args: { service: 'broken' } });
  await soon(async () => {
    const { state, waitsFor } = await job('/v1/jobs/JOB-1');
    expect({ state, waitsFor }).toEqual({
      state: 'waiting',
      waitsFor: { kind: 'time', until: expect.any(String) },
    });
  });
  const good = await over('JOB-1');
  expect(good.state).toBe('succeeded');
  expect(good.steps).toMatchObject([
    { step: 'publish', state: 'done', output: { version: 'web-1' } },
    { step: 'settle', state: 'done' },
    { step: 'check', state: 'done' },
  ]);
  const bad = await over('JOB-2');
  expect(bad.error).toContain('check: exit code 1');
  expect(bad.steps).toMatchObject([
    { step: 'publish', undone: 'done' },
    { step: 'settle', undone: 'skipped' },
    { step: 'check', state: 'failed' },
  ]);
  const logs = (await job('/v1/jobs/JOB-2/logs')) as unknown as { items: { line: string }[] };
  expect(logs.items.map(({ line }) => line)).toContain('Withdrew broken-1');
}, 40_000);
