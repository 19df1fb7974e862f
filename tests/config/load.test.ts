import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig, runCheck, sourceSecrets } from '../../src/config/index.ts';
import { checkCatalog } from '../../src/config/check.ts';
import { compileCel } from '../../src/core/cel.ts';
import { tempFolder } from '../support/temp.ts';
import { load, loadYaml, refusal } from './support.ts';

describe('files', () => {
  test('signalbox.yaml of the working directory', async () => {
    const { file, catalog } = await loadYaml('workspace: yard\n');
    expect(file).toBe('signalbox.yaml');
    expect(catalog.workspace).toBe('yard');
  });

  test('the file that SIGNALBOX_CONFIG names, also from .env', async () => {
    const files = { 'other.yaml': 'workspace: other\n', '.env': 'SIGNALBOX_CONFIG=other.yaml\n' };
    expect((await load(files)).catalog.workspace).toBe('other');
  });

  test('the example where there is none, with a note', async () => {
    const { file, notes, catalog } = await load({});
    expect(file).toMatch(/examples\/signalbox\.yaml$/);
    expect(notes).toContain('There is no signalbox.yaml here, so the example configuration is used.');
    expect(catalog.runbooks.has('deploy')).toBe(true);
  });

  test('not the example where another file was asked for', async () => {
    const { problems } = await refusal(load({}, { SIGNALBOX_CONFIG: 'gone.yaml' }));
    expect(problems).toMatchObject([
      { code: 'SBX001', message: 'gone.yaml does not exist.', line: undefined },
    ]);
  });

  test.for([
    ['too large', Buffer.alloc(1_048_577, '#'), /larger than 1 MB/],
    ['not UTF-8', Buffer.from([0x61, 0x3a, 0xff]), /not UTF-8/],
  ] as const)('a file that is %s', async ([, content, says]) => {
    const { problems } = await refusal(load({ 'signalbox.yaml': content }));
    expect(problems).toMatchObject([{ code: 'SBX001', message: expect.stringMatching(says) }]);
  });

  test('a directory', async () => {
    const cwd = tempFolder();
    mkdirSync(join(cwd, 'signalbox.yaml'));
    const { problems } = await refusal(loadConfig({ env: {}, cwd }));
    expect(problems).toMatchObject([{ code: 'SBX001', message: expect.stringMatching(/directory/) }]);
  });

  test('a broken .env', async () => {
    const { problems } = await refusal(load({ '.env': Buffer.from([0xff, 0xfe]) }));
    expect(problems).toMatchObject([{ code: 'SBX001', file: '.env' }]);
  });

  test('environment, .env and file are reported together', async () => {
    const files = { 'signalbox.yaml': 'rolls: {}\n', '.env': 'PORT=x\n' };
    const { problems } = await refusal(load(files, { LOG_LEVEL: 'loud' }));
    expect(problems.map(({ file, code }) => [file, code])).toEqual([
      ['.env', 'SBX101'],
      ['environment', 'SBX101'],
      ['signalbox.yaml', 'SBX004'],
    ]);
  });
});

describe('the example', () => {
  const env = { GITHUB_WEBHOOK_SECRET: 'fake-secret', CI_WEBHOOK_SECRET: 'fake-other' };

  test('everything of the tour is there', async () => {
    const { catalog } = await load({}, env);
    expect(catalog.runbooks.get('deploy')).toMatchObject({
      approval: { quorum: 1, roles: ['approver'], timeout: 3_600_000 },
      executor: { kind: 'shell' },
    });
    expect(catalog.runbooks.get('restart')?.approval).toBeUndefined();
    expect(catalog.probes.get('self')).toMatchObject({
      url: 'http://127.0.0.1:8080/healthz',
      expect: { status: [200] },
    });
    expect(catalog.allowedHosts).toContain('127.0.0.1:8080');
    expect([...catalog.sources.keys()]).toEqual(['github', 'ci']);
  });

  test('the secrets of a source come from the environment', async () => {
    const config = await load({}, env);
    expect(sourceSecrets(config, 'github')).toEqual(['fake-secret']);
    expect(sourceSecrets(config, 'nobody')).toEqual([]);
  });

  test('its rule turns a failed build into typed arguments', async () => {
    const { catalog } = await load({}, env);
    const [rule] = catalog.sources.get('github')?.rules ?? [];
    const values = {
      event: 'workflow_run',
      headers: {},
      payload: {
        action: 'completed',
        workflow_run: { conclusion: 'failure', name: 'CI', head_branch: 'x --priority P0' },
      },
    };
    const run = (expression = '') => compileCel(expression, ['event', 'payload', 'headers']).evaluate(values);
    expect(run(rule?.when)).toBe(true);
    expect(run(rule?.args['title'])).toBe('Build failed: CI on x --priority P0');
    expect(run(rule?.args['priority'])).toBe('P1');
  });
});

describe('signalbox check', () => {
  const check = async (env: Record<string, string>, commandNames: string[]) => {
    const written: string[] = [];
    const output = { write: (text: string) => written.push(text) };
    const code = await runCheck({ env, cwd: tempFolder(), commandNames, output });
    return { code, text: written.join('') };
  };

  test('says what is defined and what is off', async () => {
    const { code, text } = await check({}, ['task.create']);
    expect(code).toBe(0);
    expect(text).toMatch(/is right: 5 roles, 0 people, 0 agents, 3 runbooks, 1 probe, 2 webhook sources/);
    expect(text).toContain('Slack is off: set SLACK_BOT_TOKEN');
    expect(text).toContain('Webhook source github is off: set GITHUB_WEBHOOK_SECRET');
  });

  test('SBX020: a rule of a command that does not exist, also of a source that is off', async () => {
    const { code, text } = await check({}, ['task.creat']);
    expect(code).toBe(1);
    expect(text).toMatch(
      /signalbox\.yaml:\d+:\d+ SBX020 Rule "failed-build": there is no command "task.create"/,
    );
    expect(text).toContain('Did you mean "task.creat"?');
  });

  test('SBX020 names the line', async () => {
    const config = await loadYaml(
      'sources:\n  a:\n    kind: github\n    secret: ${env:A}\n    rules:\n      - name: one\n        when: "true"\n        command: nothing\n',
    );
    const error = await refusal(Promise.resolve().then(() => checkCatalog(config, ['status'])));
    expect(error.problems).toMatchObject([{ code: 'SBX020', file: 'signalbox.yaml', line: 8, column: 9 }]);
  });

  test('prints what is wrong, and how to mend it', async () => {
    const { code, text } = await check({ PORT: 'x' }, ['task.create']);
    expect(code).toBe(1);
    expect(text).toMatch(/^One problem in the configuration:\nenvironment SBX101 PORT/);
  });
});
