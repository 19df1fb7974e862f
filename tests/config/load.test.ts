import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig, runCheck, sourceSecrets } from '../../src/config/index.ts';
import { commands as all } from '../../commands/index.ts';
import { checkCatalog } from '../../src/config/check.ts';
import { permissionNotes } from '../../src/config/permissions.ts';
import type { KnownCommand } from '../../src/config/rules.ts';
import { compileCel } from '../../src/core/cel.ts';
import type { Permission } from '../../src/domain/permission.ts';
import { tempFolder } from '../support/temp.ts';
import { load, loadYaml, refusal } from './support.ts';

const ROOT = resolve(import.meta.dirname, '../..');

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
      url: '${self}/healthz',
      expect: { status: [200] },
    });
    expect(catalog.allowedHosts).toEqual([]);
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
  const check = async (
    env: Record<string, string>,
    commands: readonly KnownCommand[] = all,
    yaml?: string,
  ) => {
    const written: string[] = [];
    const output = { write: (text: string) => written.push(text) };
    const cwd = tempFolder();
    if (yaml !== undefined) writeFileSync(join(cwd, 'signalbox.yaml'), yaml);
    const code = await runCheck({ env, cwd, commands, output });
    return { code, text: written.join('') };
  };

  test('says what is defined and what is off', async () => {
    const { code, text } = await check({});
    expect(code).toBe(0);
    expect(text).toMatch(/is right: 5 roles, 0 people, 0 agents, 7 runbooks, 1 probe, 2 webhook sources/);
    expect(text).toContain('Slack is off: set SLACK_BOT_TOKEN');
    expect(text).toContain('Webhook source github is off: set GITHUB_WEBHOOK_SECRET');
    expect(text).toContain(
      'Runbook deploy needs 1 approver of role approver; the file names none, so add one: person add NAME --roles approver --key',
    );
    expect(text).not.toContain('no command or runbook needs');
  });

  test('SBX020: a rule of a command that does not exist, also of a source that is off', async () => {
    const { code, text } = await check(
      {},
      all.map((one) => (one.name === 'task.create' ? { ...one, name: 'task.creat' } : one)),
    );
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
    const error = await refusal(Promise.resolve().then(() => checkCatalog(config, all)));
    expect(error.problems).toMatchObject([{ code: 'SBX020', file: 'signalbox.yaml', line: 8, column: 9 }]);
  });

  const rule = (...lines: string[]) =>
    [
      'sources:',
      '  a:',
      '    kind: github',
      '    secret: ${env:A}',
      '    rules:',
      '      - name: one',
      '        when: "true"',
      ...lines.map((line) => `        ${line}`),
    ].join('\n');

  test('SBX022: what no webhook may run', async () => {
    const { code, text } = await check(
      {},
      all,
      rule('command: approval.approve', 'args: { id: payload.id }'),
    );
    expect(code).toBe(1);
    expect(text).toContain('signalbox.yaml:8:9 SBX022 Rule "one"');
  });

  test('SBX023: an argument that the command does not have', async () => {
    const { code, text } = await check(
      {},
      all,
      rule('command: task.create', 'args:', '  title: payload.a', '  priorty: payload.b', '  x9: payload.c'),
    );
    expect(code).toBe(1);
    expect(text).toContain('signalbox.yaml:11:11 SBX023 Rule "one": task.create has no argument "priorty".');
    expect(text).toContain('Did you mean "priority"?');
    expect(text).toMatch(/:12:11 SBX023 .*no argument "x9"\.\n +It takes title, .*priority/);
  });

  test('SBX023: an argument that the command cannot do without', async () => {
    const { code, text } = await check(
      {},
      all,
      rule('command: task.create', 'args: { priority: payload.b }'),
    );
    expect(code).toBe(1);
    expect(text).toContain(
      'signalbox.yaml:8:9 SBX023 Rule "one": task.create cannot run without the argument "title".',
    );
    expect(await check({}, all, rule('command: status'))).toMatchObject({ code: 0 });
  });

  test('SBX028: an argument that has the name of a flag of job run', async () => {
    const runbook = (name: string) =>
      [
        'runbooks:',
        '  tell:',
        '    summary: Tell somebody',
        '    risk: write',
        '    permission: runbook:tell',
        '    timeout: 10s',
        '    tries: { max: 1 }',
        '    bounds: { logLines: 10, outputBytes: 1000 }',
        '    args:',
        '      properties:',
        `        ${name}: { type: string }`,
        '    executor: { kind: shell, argv: [echo, hello] }',
      ].join('\n');
    for (const [name, flag] of [
      ['notify', 'notify'],
      ['Priority', 'priority'],
      ['a_t', 'at'],
      ['preset', 'preset'],
    ] as const) {
      const { code, text } = await check({}, all, runbook(name));
      expect(code).toBe(1);
      expect(text).toContain(
        `signalbox.yaml:11:9 SBX028 runbooks.tell: the argument "${name}" cannot be told from job run’s own --${flag}.`,
      );
    }
    expect(await check({}, all, runbook('service'))).toMatchObject({ code: 0 });
  });

  test('a permission that nothing needs is worth a note, with its line and what was meant', async () => {
    const { code, text } = await check(
      {},
      all,
      [
        'roles:',
        '  one:',
        "    - 'task:raed'",
        "    - '!tsak:*'",
        "    - 'runbook:deploi'",
        "  two: ['*', 'task:*', '*:read', '!audit:read', 'runbook:*', 'key:admin', 'subscription:admin']",
        "  three: ['event:read', 'lease:read', 'agent:*', 'job:run', 'approval:decide', 'audit:export']",
        '',
      ].join('\n'),
    );
    expect(code).toBe(0);
    expect(text.split('\n').filter((line) => line.includes('no command or runbook'))).toEqual([
      '- signalbox.yaml:3 roles.one: no command or runbook needs "task:raed". Did you mean "task:read"?',
      '- signalbox.yaml:4 roles.one: no command or runbook needs "!tsak:*". Is it misspelt?',
      '- signalbox.yaml:5 roles.one: no command or runbook needs "runbook:deploi". Is it misspelt?',
    ]);
  });

  test('no permission that the code asks for is called unneeded', () => {
    const files = ['commands', 'src/core', 'adapters'].flatMap((folder) =>
      globSync(`${folder}/**/*.ts`, { cwd: ROOT }),
    );
    const asked = files.flatMap((file) =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(/(?:may\(|\?|=|:) ?[^'\n]*'([a-z]+:[a-z]+)'/g)].map(
        ([, permission = '']) => permission as Permission,
      ),
    );
    const permissions = [...new Set(asked)].filter((one) =>
      /^(?:person|key|subscription|audit|task|job|approval|role|probe|event):/.test(one),
    );
    expect(permissions).toContain('subscription:admin');
    const catalog = { roles: [{ name: 'any', permissions }], runbooks: new Map() };
    expect(permissionNotes(catalog, all, () => '')).toEqual([]);
  });

  test('prints what is wrong, and how to mend it', async () => {
    const { code, text } = await check({ PORT: 'x' });
    expect(code).toBe(1);
    expect(text).toMatch(/^One problem in the configuration:\nenvironment SBX101 PORT/);
  });
});
