import { describe, expect, test } from 'vitest';
import { CODES } from '../../src/config/problem.ts';
import { permits } from '../../src/domain/permission.ts';
import { FIXTURES, RUNBOOK } from './fixtures.ts';
import { fake, loadYaml, refusal } from './support.ts';

describe('what is refused', () => {
  test.for(FIXTURES)('$code line $line: $what', async ({ code, line, says, yaml }) => {
    const { problems } = await refusal(loadYaml(yaml));
    const found = problems.filter((problem) => problem.code === code);
    expect(found).toContainEqual(
      expect.objectContaining({ file: 'signalbox.yaml', line, message: expect.stringMatching(says) }),
    );
    for (const { mend } of problems) expect(mend).not.toBe('');
  });

  test('every code of the file has a fixture', () => {
    const elsewhere = ['SBX001', 'SBX020', 'SBX101', 'SBX102'];
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

  test('a script may take arguments after its text', async () => {
    const { catalog } = await loadYaml(
      `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    args: { required: [id], properties: { id: { type: integer } } }\n    executor: { kind: shell, argv: [sh, -c, 'echo "$1"', sh, "\${args.id}"] }\n`,
    );
    expect(catalog.runbooks.size).toBe(1);
  });

  test('a role may approve before anybody has it, with a note', async () => {
    const { notes } = await loadYaml(
      `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    approval: { quorum: 2, roles: [admin], timeout: 1h }\n    executor: { kind: shell, argv: [ls] }\n`,
    );
    expect(notes.join()).toContain('2 must agree, and the file has 0');
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
