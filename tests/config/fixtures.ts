import type { Code } from '../../src/config/problem.ts';
import { fake, together } from './support.ts';

/** A runbook that is right; a fixture takes lines away from it or adds some. */
export const RUNBOOK = [
  '    summary: Restart a service',
  '    risk: write',
  '    permission: runbook:restart',
  '    timeout: 1m',
  '    tries: { max: 3, backoff: 2s, cap: 30s }',
  '    bounds: { logLines: 200, outputBytes: 100000 }',
];
const SHELL = '    executor: { kind: shell, argv: [node, --version] }';
const runbook = (...lines: string[]): string => ['runbooks:', '  restart:', ...lines].join('\n');
const complete = (...lines: string[]): string => runbook(...RUNBOOK, ...lines);
const without = (key: string): string =>
  runbook(...RUNBOOK.filter((line) => !line.startsWith(`    ${key}:`)), SHELL);
const withLine = (key: string, line: string): string =>
  runbook(...RUNBOOK.map((old) => (old.startsWith(`    ${key}:`) ? line : old)), SHELL);
const args = '    args: { required: [name], properties: { name: { type: string }, note: { type: string } } }';
const source = (...lines: string[]): string =>
  ['sources:', '  github:', '    kind: github', '    secret: ${env:HOOK}', ...lines].join('\n');
const rule = (line: string): string =>
  source('    rules:', '      - name: any', '        command: task.create', `        ${line}`);

export interface Fixture {
  readonly what: string;
  readonly code: Code;
  readonly yaml: string;
  readonly line: number;
  readonly says: RegExp;
}

const fixture = (code: Code, line: number, what: string, says: RegExp, yaml: string): Fixture => ({
  code,
  line,
  what,
  says,
  yaml,
});

/** One broken file per rule, with the line that is named. */
export const FIXTURES: readonly Fixture[] = [
  fixture('SBX002', 2, 'a key given twice', /unique/, 'workspace: main\nworkspace: other\n'),
  fixture('SBX002', 2, 'a tab as indentation', /[Tt]ab/, 'roles:\n\tdeployer: []\n'),
  fixture('SBX002', 2, 'a second document', /multiple documents/, 'workspace: main\n---\nworkspace: b\n'),
  fixture('SBX002', 1, 'a key that is a list', /keys must be strings/, '? [a]\n: 1\n'),
  fixture('SBX002', 1, 'a lone surrogate', /surrogate/, 'workspace: "\\ud800"\n'),
  fixture('SBX003', 2, 'an anchor', /anchor/, 'roles:\n  one: &all [task:read]\n  two: []\n'),
  fixture('SBX003', 3, 'an alias', /alias/, 'roles:\n  one: &all [task:read]\n  two: *all\n'),
  fixture('SBX003', 4, 'a merge key', /alias/, 'people:\n  ana: &ana { roles: [] }\n  bob:\n    <<: *ana\n'),
  fixture('SBX003', 1, 'a tag', /tag/, 'workspace: !!binary bWFpbg==\n'),
  fixture('SBX004', 2, 'an unknown section', /"runbook"/, 'workspace: main\nrunbook: {}\n'),
  fixture('SBX004', 7, 'an unknown key of a runbook', /"tiemout"/, withLine('tries', '    tiemout: 5m')),
  fixture(
    'SBX004',
    10,
    'an unknown key of an executor',
    /"argz"/,
    complete('    executor:', '      argz: []', '      kind: shell'),
  ),
  fixture('SBX004', 1, 'a prototype as a section', /__proto__/, '__proto__: { roles: {} }\n'),
  fixture('SBX005', 2, 'a missing summary', /summary is missing/, without('summary')),
  fixture(
    'SBX005',
    2,
    'a source without a secret',
    /secret is missing/,
    'sources:\n  github:\n    kind: github\n',
  ),
  fixture('SBX006', 1, 'a file that is a list', /map of sections/, '- workspace\n'),
  fixture('SBX006', 1, 'a workspace that is no name', /workspace/, 'workspace: Main Office\n'),
  fixture('SBX006', 2, 'a person that is no name', /"Ana B"/, 'people:\n  Ana B: {}\n'),
  fixture('SBX006', 2, 'a reserved name', /reserved/, 'agents:\n  system: {}\n'),
  fixture('SBX006', 6, 'a duration that is a number', /duration/, withLine('timeout', '    timeout: 30')),
  fixture('SBX006', 6, 'a duration without end', /at most 1d/, withLine('timeout', '    timeout: 9d')),
  fixture(
    'SBX006',
    7,
    'a backoff above its cap',
    /cap/,
    withLine('tries', '    tries: { max: 2, backoff: 5m, cap: 1m }'),
  ),
  fixture('SBX006', 4, 'a risk that does not exist', /read, write/, withLine('risk', '    risk: harmless')),
  fixture(
    'SBX006',
    7,
    'a broken header pattern',
    /regular expression/,
    'probes:\n  self:\n    url: https://x.test/\n    expect:\n      status: 200\n      headers:\n        server: "("\n',
  ),
  fixture('SBX006', 2, 'a limit of nothing', /at least 1/, 'limits:\n  perSender: 0\n'),
  fixture('SBX006', 2, 'an allowed host with a path', /host/, 'allowedHosts:\n  - http://127.0.0.1/\n'),
  fixture(
    'SBX006',
    9,
    'two rules of one name',
    /called "any"/,
    source(
      '    rules:',
      '      - name: any',
      '        when: "true"',
      '        command: status',
      '      - { name: any, when: "true", command: status }',
    ),
  ),
  fixture('SBX007', 3, 'a role with a malformed permission', /"task"/, 'roles:\n  one:\n    - task\n'),
  fixture('SBX007', 2, 'a role with half a pattern', /"task:cr\*"/, 'roles:\n  one: ["task:cr*"]\n'),
  fixture(
    'SBX007',
    5,
    'a runbook that asks for a pattern',
    /"runbook:\*"/,
    withLine('permission', '    permission: "runbook:*"'),
  ),
  fixture(
    'SBX008',
    3,
    'a person with an unknown role',
    /"oprator"/,
    'people:\n  ana:\n    roles: [oprator]\n',
  ),
  fixture(
    'SBX009',
    4,
    'an identity claimed twice',
    /already belongs to ana/,
    'people:\n  ana: { identities: ["email:a@x.test"] }\n  bob:\n    identities: ["email:A@x.test"]\n',
  ),
  fixture('SBX009', 2, 'an identity without a channel', /"ana"/, 'people:\n  ana: { identities: [ana] }\n'),
  fixture(
    'SBX009',
    2,
    'a Slack name instead of an id',
    /slack/,
    'people:\n  ana: { identities: ["slack:@ana"] }\n',
  ),
  fixture(
    'SBX009',
    2,
    'a GitHub login instead of an id',
    /github/,
    'people:\n  ana: { identities: ["github:ana"] }\n',
  ),
  fixture(
    'SBX009',
    2,
    'a proof that is ours to give',
    /not an identity/,
    'people:\n  ana: { identities: ["key:abc"] }\n',
  ),
  fixture('SBX010', 4, 'a person and an agent of one name', /both/, 'people:\n  ci: {}\nagents:\n  ci: {}\n'),
  fixture(
    'SBX010',
    2,
    'a source and a person of one name',
    /already/,
    `sources:\n  ana:\n    kind: github\n    secret: \${env:HOOK}\npeople:\n  ana: {}\n`,
  ),
  fixture('SBX011', 2, 'a runbook without a time-out', /timeout is missing/, without('timeout')),
  fixture('SBX011', 2, 'a runbook without tries', /tries is missing/, without('tries')),
  fixture('SBX011', 2, 'a runbook without bounds', /bounds is missing/, without('bounds')),
  fixture(
    'SBX011',
    8,
    'a runbook with half its bounds',
    /outputBytes is missing/,
    withLine('bounds', '    bounds: { logLines: 5 }'),
  ),
  fixture('SBX011', 2, 'a runbook without permission', /permission is missing/, without('permission')),
  fixture(
    'SBX012',
    2,
    'a financial runbook without approval',
    /financial/,
    withLine('risk', '    risk: financial'),
  ),
  fixture(
    'SBX012',
    10,
    'an approval that approves itself',
    /quorum of 0/,
    complete(SHELL, '    approval: { quorum: 0, roles: [admin], timeout: 1h }'),
  ),
  fixture(
    'SBX013',
    10,
    'an approver role that does not exist',
    /"boss"/,
    complete(SHELL, '    approval: { quorum: 1, roles: [boss], timeout: 1h }'),
  ),
  fixture(
    'SBX013',
    10,
    'an approver who does not exist',
    /"ana"/,
    complete(SHELL, '    approval: { quorum: 1, persons: [ana], roles: [admin], timeout: 1h }'),
  ),
  fixture(
    'SBX013',
    10,
    'an approver who is a program',
    /only people vote/,
    complete(
      SHELL,
      '    approval: { quorum: 1, persons: [ci], roles: [admin], timeout: 1h }',
      'agents:',
      '  ci: {}',
    ),
  ),
  fixture(
    'SBX013',
    10,
    'an approval that names nobody',
    /nobody/,
    complete(SHELL, '    approval: { quorum: 1, timeout: 1h }'),
  ),
  fixture(
    'SBX014',
    10,
    'one approver who may ask',
    /the file has 0/,
    complete(
      SHELL,
      '    approval: { quorum: 1, persons: [ana], timeout: 1h }',
      'people:',
      '  ana: { roles: [admin] }',
    ),
  ),
  fixture(
    'SBX014',
    10,
    'one person named twice',
    /2 must agree/,
    complete(SHELL, '    approval: { quorum: 2, persons: [ana, ana], timeout: 1h }', 'people:', '  ana: {}'),
  ),
  fixture(
    'SBX015',
    9,
    'an unknown keyword in the schema',
    /requird/,
    complete('    args: { requird: [a] }', SHELL),
  ),
  fixture(
    'SBX015',
    9,
    'a schema with a wrong type',
    /does not compile/,
    complete('    args: { properties: { a: { type: text } } }', SHELL),
  ),
  fixture(
    'SBX015',
    9,
    'arguments that are a list',
    /object/,
    complete('    args: { type: array, properties: {} }', SHELL),
  ),
  fixture(
    'SBX016',
    10,
    'an undeclared argument',
    /"service"/,
    complete(args, '    executor: { kind: shell, argv: [echo, "${args.service}"] }'),
  ),
  fixture(
    'SBX016',
    10,
    'an argument that may be missing',
    /"note" may be left out/,
    complete(args, '    executor: { kind: shell, argv: [echo, "${args.note}"] }'),
  ),
  fixture(
    'SBX016',
    10,
    'an unknown placeholder',
    /"\$\{name\}"/,
    complete(args, '    executor: { kind: shell, argv: [echo, "${name}"] }'),
  ),
  fixture(
    'SBX016',
    10,
    'an unfinished placeholder',
    /"\$\{args\.name"/,
    complete(args, '    executor: { kind: shell, argv: [echo, "${args.name"] }'),
  ),
  fixture(
    'SBX016',
    10,
    'an argument as the program',
    /choose the program/,
    complete(args, '    executor: { kind: shell, argv: ["${args.name}"] }'),
  ),
  fixture(
    'SBX016',
    10,
    'an argument in a shell script',
    /program text/,
    complete(args, '    executor: { kind: shell, argv: [/bin/sh, -c, "echo ${args.name}"] }'),
  ),
  fixture(
    'SBX016',
    10,
    'an argument in a Node script',
    /program text/,
    complete(args, '    executor: { kind: shell, argv: [node, --eval, "f(${args.name})"] }'),
  ),
  fixture(
    'SBX016',
    10,
    'an argument in a script given with =',
    /program text/,
    complete(args, '    executor: { kind: shell, argv: [node, "--eval=f(${args.name})"] }'),
  ),
  fixture(
    'SBX016',
    3,
    'an argument in a probe',
    /no arguments/,
    'probes:\n  self:\n    url: https://x.test/${args.name}\n',
  ),
  fixture(
    'SBX017',
    9,
    'an unknown probe',
    /"slf"/,
    `${complete('    executor: { kind: probe, probe: slf }')}\nprobes:\n  self: { url: "https://x.test/" }\n`,
  ),
  fixture(
    'SBX018',
    4,
    'a webhook secret in clear',
    /written in clear/,
    'sources:\n  github:\n    kind: github\n    secret: letmein\n',
  ),
  fixture(
    'SBX018',
    9,
    'an API key of ours',
    /looks like a secret/,
    complete(`    executor: { kind: shell, argv: [echo, ${fake('sb_abc_')}] }`),
  ),
  fixture(
    'SBX018',
    9,
    'a Slack token',
    /looks like a secret/,
    complete(`    executor: { kind: shell, argv: [echo, ${fake('xoxb-1-')}] }`),
  ),
  fixture(
    'SBX018',
    9,
    'a GitHub token',
    /looks like a secret/,
    complete(`    executor: { kind: shell, argv: [echo, ${fake('ghp_')}] }`),
  ),
  fixture(
    'SBX018',
    9,
    'an AWS key',
    /looks like a secret/,
    complete(`    executor: { kind: shell, argv: [echo, ${together('AK', 'IAABCDEFGHIJKLMNOP')}] }`),
  ),
  fixture(
    'SBX018',
    10,
    'a private key',
    /looks like a secret/,
    complete(
      '    executor:',
      `      env: { PEM: "${together('-----BEGIN', ' PRIVATE KEY-----')}" }`,
      '      kind: shell',
      '      argv: [cat]',
    ),
  ),
  fixture(
    'SBX018',
    5,
    'a bearer in a header',
    /authorization/,
    `probes:\n  self:\n    url: https://x.test/\n    headers:\n      authorization: Bearer ${fake('')}\n`,
  ),
  fixture(
    'SBX018',
    3,
    'a password in an address',
    /looks like a secret/,
    'probes:\n  self:\n    url: https://bob:hunter22@x.test/\n',
  ),
  fixture('SBX019', 8, 'a condition that does not parse', /CEL/, rule('when: "payload.action =="')),
  fixture('SBX019', 8, 'a condition over an unknown variable', /CEL/, rule('when: body.action == "x"')),
  fixture(
    'SBX019',
    9,
    'an argument that does not parse',
    /CEL/,
    `${rule('when: "true"')}\n        args: { title: "payload." }`,
  ),
  fixture(
    'SBX021',
    3,
    'an address of another scheme',
    /neither http nor https/,
    'probes:\n  self:\n    url: file:///etc/passwd\n',
  ),
  fixture(
    'SBX021',
    3,
    'an address that is none',
    /not a URL/,
    'probes:\n  self:\n    url: example.test/health\n',
  ),
  fixture(
    'SBX021',
    10,
    'an argument that chooses the host',
    /choose the host/,
    complete(args, '    executor: { kind: http, method: GET, url: "https://${args.name}.test/" }'),
  ),
];
