import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Runbook } from '../../src/domain/runbook.ts';
import { jobs } from '../../src/domain/job.ts';
import { rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { testRunbook } from '../support/runbook.ts';

const http = {
  method: 'GET',
  url: 'https://x.test/',
  headers: {},
  body: undefined,
  result: undefined,
} as const;
const restart = testRunbook({ name: 'restart' });
const RUNBOOKS: readonly Runbook[] = [
  restart,
  testRunbook({ name: 'build' }),
  testRunbook({ name: 'ask', executor: { kind: 'http', ...http, expectStatus: [200] } }),
  testRunbook({
    name: 'both',
    executor: { kind: 'steps', steps: [{ name: 'one', runbook: restart, args: {}, compensate: undefined }] },
  }),
];

let h: Harness;
beforeEach(async () => {
  const runbooks = new Map(RUNBOOKS.map((book) => [book.name, book]));
  h = await createHarness({ runbooks, sandbox: { allow: ['api.example.test'], shell: ['build'] } });
});
afterEach(() => h.close());

describe('in a sandbox', () => {
  test('a program runs only where the list names its runbook, as a step too', async () => {
    for (const name of ['restart', 'both']) {
      const answer = await h.run('ana', `job run ${name}`);
      expect(answer.error?.code).toBe('forbidden');
      expect(answer.reply.text).toContain('restart runs a program that is not in its list (sandbox.shell)');
    }
    expect(await rows(h, jobs)).toEqual([]);
    for (const name of ['build', 'ask']) expect((await h.run('ana', `job run ${name}`)).status).toBe('ok');
  });

  test('status says so', async () => {
    const { reply } = await h.run('vic', 'status');
    expect(reply.text).toMatch(/^sandbox: runs reach api\.example\.test$/m);
    expect(reply.data).toMatchObject({ sandbox: true });
  });
});
