import { describe, expect, test } from 'vitest';
import { approverNotes } from '../../src/config/approvers.ts';
import { CODES } from '../../src/config/problem.ts';
import { asksSelf } from '../../src/domain/catalog.ts';
import { DAY } from '../../src/domain/clock.ts';
import { permits } from '../../src/domain/permission.ts';
import { RUNBOOK } from './fixture.ts';
import { FIXTURES } from './fixtures.ts';
import { fake, loadYaml, refusal } from './support.ts';

describe('what is refused', () => {
  test.for(FIXTURES)('$code line $line: $what', async ({ code, line, says, yaml }) => {
    const { problems } = await refusal(loadYaml(yaml));
    const found = problems.filter((problem) => problem.code === code);
    expect(found).toContainEqual(
      expect.objectContaining({ file: 'signalbox.yaml', line, message: expect.stringMatching(says) }),
    );
    for (const { mend, message } of problems) {
      expect(mend).not.toBe('');
      // The words of the library that reads it are nobody's language.
      expect(`${message} ${mend}`).not.toMatch(/Invalid|received|Unrecognized|[Zz]od/);
    }
  });

  test('every code of the file has a fixture', () => {
    const elsewhere = [
      'SBX001',
      'SBX020',
      'SBX022',
      'SBX023',
      'SBX028',
      'SBX101',
      'SBX102',
      'SBX025',
      'SBX026',
    ];
    const covered = new Set([...FIXTURES.map(({ code }) => code), ...elsewhere]);
    expect(Object.keys(CODES).filter((code) => !covered.has(code as keyof typeof CODES))).toEqual([]);
  });

  test('everything at once, in the order of the file', async () => {
    const error = await refusal(
      loadYaml('rolls: {}\npeople:\n  ana: { roles: [nobody] }\nprobes:\n  self: { url: "ftp://x/" }\n'),
    );
    expect(error.problems.map(({ code, line }) => [code, line])).toEqual([
      ['SBX004', 1],
      ['SBX008', 3],
      ['SBX021', 5],
    ]);
    expect(error.format()).toContain(
      'signalbox.yaml:1:1 SBX004 the file: unknown key "rolls".\n    Did you mean "roles"?',
    );
  });

  test('a secret is never quoted', async () => {
    const secret = fake('ghp_');
    const error = await refusal(
      loadYaml(
        `sources:\n  github: { kind: github, secret: ${secret} }\nprobes:\n  self: { url: ${secret} }\n`,
      ),
    );
    expect(error.problems.length).toBeGreaterThan(1);
    expect(error.format()).not.toContain(secret);
  });

  test('one slip in an entry is one problem, also where others refer to it', async () => {
    const probe = 'probes:\n  self: { url: "https://x.test/", timout: 1s }\n';
    const yaml = `${probe}runbooks:\n  smoke:\n${RUNBOOK.join('\n')}\n    executor: { kind: probe, probe: self }\n`;
    const { problems } = await refusal(loadYaml(yaml));
    expect(problems.map(({ code, mend }) => [code, mend])).toEqual([['SBX004', 'Did you mean "timeout"?']]);
  });
});

describe('a runbook whose shape is broken', () => {
  const problemsOf = async (lines: readonly string[]) => {
    const { problems } = await refusal(loadYaml(`runbooks:\n  restart:\n${lines.join('\n')}\n`));
    return problems.map(({ code, line, message, mend }) => ({ code, line, text: `${message} ${mend}` }));
  };
  const written = (...changes: string[]) => [
    ...RUNBOOK.filter((line) => !changes.some((c) => c.split(':')[0] === line.split(':')[0])),
    ...changes.filter((change) => !change.endsWith(': -')),
  ];
  const SHELL = '    executor: { kind: shell, argv: [echo, hello] }';
  const FILLED = '    executor: { kind: shell, argv: [echo, "${args.name}"] }';

  test('says what is missing, and what to write', async () => {
    expect(await problemsOf(written('    bounds: -', SHELL))).toEqual([
      {
        code: 'SBX011',
        line: 2,
        text: 'runbooks.restart.bounds is missing. Add it, such as bounds: { logLines: 1000, outputBytes: 1000000 }',
      },
    ]);
  });

  test('does not hide its other faults', async () => {
    const found = await problemsOf(
      written(
        '    bounds: -',
        '    permission: restart',
        '    args: { properties: { name: { type: txt } } }',
        '    approval: { quorum: 0, roles: [boss], timeout: 1h }',
        '    executor: { kind: shell, argz: [], argv: [echo, "${args.nobody}"] }',
      ),
    );
    expect(found.map(({ code }) => code).toSorted()).toEqual(
      ['SBX004', 'SBX007', 'SBX011', 'SBX012', 'SBX013', 'SBX015', 'SBX016'].toSorted(),
    );
  });

  test.each([
    [
      'an approval of another shape is not a missing one',
      ['    risk: financial', '    approval: yes please', SHELL],
    ],
    ['arguments of another shape are not missing ones', ['    args: [name]', FILLED]],
    ['a broken executor is one problem', ['    executor: { kind: shel }']],
  ])('is judged by its right parts alone: %s', async (_what, changes) => {
    expect((await problemsOf(written(...changes))).map(({ code }) => code)).toEqual(['SBX006']);
  });

  test.each([
    ['tries: 3', 'runbooks.restart.tries: expected a map.'],
    ['bounds: []', 'runbooks.restart.bounds: expected a map.'],
    ['approval: { quorum: many, timeout: 1h }', 'runbooks.restart.approval.quorum: expected a whole number.'],
    ['executor: { kind: shell, argv: [x], env: { 1X: a } }', '1X: this is not a name that may stand here.'],
    [`summary: ${'x'.repeat(201)}`, 'runbooks.restart.summary: expected at most 200 characters.'],
    ['summary: ""', 'runbooks.restart.summary: expected at least 1 character.'],
  ])('in plain words: %s', async (change, text) => {
    const executor = change.startsWith('executor') ? [] : [SHELL];
    const found = await problemsOf(written(`    ${change}`, ...executor));
    expect(found.map((one) => one.text).join('\n')).toContain(text);
  });
});

describe('what is compiled', () => {
  test('an empty file is a catalog with the built-in roles', async () => {
    const { catalog } = await loadYaml('# nothing yet\n');
    expect(catalog.workspace).toBe('main');
    expect(catalog.roles.map(({ name }) => name)).toEqual(['admin', 'operator', 'viewer']);
    expect(catalog.limits.perSender).toBeGreaterThan(0);
  });

  test('empty sections are empty', async () => {
    const { catalog } = await loadYaml('people:\nrunbooks:\nprobes: ~\nlimits:\nallowedHosts:\n');
    expect(catalog.principals).toEqual([]);
  });

  test('the viewer reads everything but the audit log; the operator does not administer', async () => {
    const { catalog } = await loadYaml('');
    const of = (name: string) => catalog.roles.find((role) => role.name === name)?.permissions ?? [];
    expect(permits(of('viewer'), 'task:read')).toBe(true);
    expect(permits(of('viewer'), 'audit:read')).toBe(false);
    expect(permits(of('viewer'), 'task:create')).toBe(false);
    expect(permits(of('operator'), 'job:run')).toBe(true);
    expect(permits(of('operator'), 'person:admin')).toBe(false);
    expect(permits(of('operator'), 'key:admin')).toBe(false);
    expect(permits(of('admin'), 'flag:set')).toBe(true);
  });

  test('a role of the file replaces the built-in of its name', async () => {
    const { catalog } = await loadYaml('roles:\n  operator: [task:read]\n');
    expect(catalog.roles.filter(({ name }) => name === 'operator')).toEqual([
      { name: 'operator', permissions: ['task:read'] },
    ]);
  });

  test('people and agents, mail addresses in lower case', async () => {
    const { catalog } = await loadYaml(
      'people:\n  ana:\n    display: Ana\n    roles: [viewer, viewer]\n    identities: ["email:Ana@X.test", slack:T1/U2]\nagents:\n  ci: {}\n',
    );
    expect(catalog.principals).toEqual([
      {
        name: 'ana',
        kind: 'person',
        display: 'Ana',
        roles: ['viewer'],
        identities: [
          { channel: 'email', subject: 'ana@x.test' },
          { channel: 'slack', subject: 'T1/U2' },
        ],
      },
      { name: 'ci', kind: 'agent', display: 'ci', roles: [], identities: [] },
    ]);
  });

  test('a runbook: durations in milliseconds, a closed schema, defaults filled', async () => {
    const { catalog } = await loadYaml(
      `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    args: { required: [id], properties: { id: { type: integer } } }\n    executor: { kind: http, method: POST, url: "https://x.test/\${args.id}", expectStatus: 202 }\n`,
    );
    expect(catalog.runbooks.get('restart')).toMatchObject({
      name: 'restart',
      timeout: 60_000,
      tries: { max: 3, backoff: 2_000, cap: 30_000 },
      args: { type: 'object', additionalProperties: false, required: ['id'] },
      approval: undefined,
      executor: { kind: 'http', headers: {}, body: undefined, expectStatus: [202] },
    });
  });

  test('a template may be filled from an argument with a default, and from the environment', async () => {
    const { catalog, notes } = await loadYaml(
      `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    args: { properties: { id: { type: integer, default: 1 } } }\n    executor: { kind: shell, argv: [echo, "\${args.id}"], env: { TOKEN: "\${env:SOME_TOKEN}" } }\n`,
    );
    expect(catalog.runbooks.size).toBe(1);
    expect(notes).toEqual(['runbooks.restart needs SOME_TOKEN, which is not set.']);
  });

  test('an address may begin with its origin from the environment, and take arguments behind that', async () => {
    const loading = (url: string) =>
      loadYaml(
        `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    args: { required: [id], properties: { id: { type: string } } }\n    executor: { kind: http, method: GET, url: "${url}" }\n`,
      );
    for (const url of [
      '${env:BASE}/apps/${args.id}',
      '${env:BASE}?id=${args.id}',
      '${file:/run/base}/${args.id}',
    ])
      expect((await loading(url)).catalog.runbooks.size).toBe(1);
    for (const url of ['${env:BASE}${args.id}', '${env:BASE}.${args.id}/x', '${env:BASE}//${args.id}/x'])
      expect((await refusal(loading(url))).problems).toMatchObject([{ code: 'SBX021' }]);
  });

  test('a template may be filled from a file, which is missed where it is not there', async () => {
    const { catalog, notes } = await loadYaml(
      `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    executor: { kind: shell, argv: [ls], env: { KEY: "\${file:/nowhere/key}", ROOT: "\${file:/dev/null}" } }\n`,
    );
    expect(catalog.runbooks.size).toBe(1);
    expect(notes).toEqual(['runbooks.restart needs /nowhere/key, which is not there.']);
  });

  test('a runbook that a program elsewhere runs, by a capability of its own', async () => {
    const { catalog } = await loadYaml(
      `runbooks:\n  render:\n${RUNBOOK.join('\n')}\n    capability: gpu\n    executor: { kind: remote }\n`,
    );
    expect(catalog.runbooks.get('render')).toMatchObject({ capability: 'gpu', executor: { kind: 'remote' } });
  });

  test('what an answer gives is mapped by compiled expressions', async () => {
    const { catalog } = await loadYaml(
      `runbooks:\n  ask:\n${RUNBOOK.join('\n')}\n    executor: { kind: http, method: GET, url: "https://x.test/", result: { id: body.id }, usage: { tokens: "1" } }\n`,
    );
    expect(catalog.runbooks.get('ask')?.executor).toMatchObject({
      result: { id: 'body.id' },
      usage: { tokens: '1' },
    });
  });

  test('a sandbox is said to be one, and a workspace is none unless written', async () => {
    expect((await loadYaml('')).catalog.sandbox).toBeUndefined();
    const { catalog, notes } = await loadYaml(
      `sandbox: { allow: ["api.x.test:443"], shell: [restart] }\nrunbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    executor: { kind: shell, argv: [ls] }\n`,
    );
    expect(catalog.sandbox).toEqual({ allow: ['api.x.test:443'], shell: ['restart'] });
    expect(notes).toEqual(['This workspace is a sandbox: its runs reach api.x.test:443, and no more.']);
    expect((await loadYaml('sandbox:\n')).catalog.sandbox).toEqual({ allow: [], shell: [] });
  });

  test('log lines are kept for a month unless written', async () => {
    expect((await loadYaml('')).catalog.jobs.keepLogs).toBe(30 * DAY);
    expect((await loadYaml('jobs: { keepLogs: 7d }')).catalog.jobs.keepLogs).toBe(7 * DAY);
    const { problems } = await refusal(loadYaml('jobs: { keepLogs: 0s }'));
    expect(problems).toMatchObject([
      { code: 'SBX006', message: expect.stringContaining('more than nothing') },
    ]);
  });

  test('breakers have usual bounds', async () => {
    expect((await loadYaml('breakers: { failures: 2 }')).catalog.breakers).toEqual({
      failures: 2,
      open: 30_000,
      cap: 600_000,
    });
  });

  test.each([
    `[sh, -c, 'echo "$1"', sh, "\${args.id}"]`,
    `[timeout, "5", bash, -lc, 'echo "$1"', bash, "\${args.id}"]`,
    `[docker, run, -e, "ID=\${args.id}", node, app.js, "\${args.id}"]`,
    `[ssh, -p, "\${args.id}", -i, key, "app@\${args.id}.test", uptime]`,
    `[tar, -c, "\${args.id}"]`,
  ])('an argument may be one: %s', async (argv) => {
    const { catalog } = await loadYaml(
      `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    args: { required: [id], properties: { id: { type: integer } } }\n    executor: { kind: shell, argv: ${argv} }\n`,
    );
    expect(catalog.runbooks.size).toBe(1);
  });

  test('a role may approve before anybody has it, which is worth a note', async () => {
    const { catalog } = await loadYaml(
      `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    approval: { quorum: 2, roles: [admin], timeout: 1h }\n    executor: { kind: shell, argv: [ls] }\n`,
    );
    const person = (name: string, kind = 'person', roles = ['admin']) => ({ name, kind, roles });
    const note = (...people: ReturnType<typeof person>[]) => approverNotes(catalog, people, 'the file names');
    const begin = 'Runbook restart needs 2 approvers of role admin; the file names';
    const none = `${begin} none, so add one: person add NAME --roles admin --key`;
    expect(note()).toEqual([none]);
    expect(note(person('ci', 'agent'), person('vic', 'person', ['viewer']))).toEqual([none]);
    expect(note(person('ana'))).toEqual([
      `${begin} only 1, so add another: person add NAME --roles admin --key`,
    ]);
    expect(note(person('ana'), person('ben'))).toEqual([]);
  });

  test('an approver who may not ask for it counts', async () => {
    const { notes } = await loadYaml(
      `people:\n  ana: { roles: [viewer] }\nrunbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    approval: { quorum: 1, persons: [ana], timeout: 1h }\n    executor: { kind: shell, argv: [ls] }\n`,
    );
    expect(notes).toEqual([]);
  });

  test('a source without its secret is off, with a note; one of several is enough', async () => {
    const yaml =
      'sources:\n  github: { kind: github, secret: "${env:HOOK}" }\n  ci: { kind: hmac, secret: ["${env:NEW}", "${env:OLD}"], signatureHeader: X-Sig }\n';
    const { catalog, sources, notes } = await loadYaml(yaml, { OLD: 'fake' });
    expect([...catalog.sources.keys()]).toEqual(['ci']);
    expect([...sources.keys()]).toEqual(['github', 'ci']);
    expect(catalog.sources.get('ci')).toMatchObject({ secrets: ['NEW', 'OLD'], signatureHeader: 'x-sig' });
    expect(notes).toEqual(['Webhook source github is off: set HOOK to turn it on.']);
  });

  test('words that only look like secrets pass', async () => {
    const { catalog } = await loadYaml(
      'probes:\n  self:\n    url: https://x.test/\n    summary: The authorization token of the monkey keyboard\n    headers: { authorization: "Bearer ${env:A_TOKEN}", x-key: en }\n',
    );
    expect(catalog.probes.size).toBe(1);
  });

  test('a probe or runbook that asks this server is told from others', async () => {
    const asks = async (url: string) =>
      asksSelf((await loadYaml(`probes:\n  self: { url: "${url}" }\n`)).catalog);
    expect(await asks('${self}/healthz')).toBe(true);
    expect(await asks('${self}')).toBe(true);
    expect(await asks('https://x.test/')).toBe(false);
    const http = await loadYaml(
      `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    args: { required: [id], properties: { id: { type: integer } } }\n    executor: { kind: http, method: GET, url: "\${self}/v1/tasks/\${args.id}" }\n`,
    );
    expect(asksSelf(http.catalog)).toBe(true);
  });

  test('the catalog is frozen all the way down', async () => {
    const { catalog } = await loadYaml(
      'roles:\n  one: [task:read]\nprobes:\n  self: { url: "https://x.test/" }\n',
    );
    expect(() => (catalog.probes as Map<string, unknown>).set('x', {})).toThrow(TypeError);
    expect(() => (catalog.probes as Map<string, unknown>).clear()).toThrow(TypeError);
    expect(Object.isFrozen(catalog.probes.get('self')?.expect.status)).toBe(true);
    expect(Object.isFrozen(catalog.roles.at(-1)?.permissions)).toBe(true);
  });
});
