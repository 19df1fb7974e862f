import { describe, expect, test } from 'vitest';
import type { Code } from '../../src/config/problem.ts';
import { HOUR, MINUTE } from '../../src/domain/clock.ts';
import { jobDigest } from '../../src/domain/job.ts';
import { permissionsOf } from '../../src/domain/step.ts';
import { loadYaml, refusal } from './support.ts';

const runbook = (name: string, over: Readonly<Record<string, string>> = {}): string[] => {
  const fields = {
    summary: `The ${name} runbook`,
    risk: 'write',
    permission: `runbook:${name}`,
    timeout: '1m',
    tries: '{ max: 3 }',
    bounds: '{ logLines: 100, outputBytes: 10000 }',
    ...over,
    executor: over['executor'] ?? '{ kind: shell, argv: [node, --version] }',
  };
  // The executor last, for whoever writes another.
  return [
    `  ${name}:`,
    ...Object.entries(fields)
      .toSorted(([a], [b]) => Number(a === 'executor') - Number(b === 'executor'))
      .map(([key, value]) => `    ${key}: ${value}`),
  ];
};
const SERVICE =
  '{ required: [service], properties: { service: { type: string }, n: { type: integer }, flag: { type: boolean } } }';
const INNER = [
  ...runbook('build', { args: SERVICE }),
  ...runbook('unbuild', { args: '{ properties: { image: { type: string } } }' }),
  ...runbook('guarded', { approval: '{ quorum: 1, roles: [approver], timeout: 2h }', args: SERVICE }),
  ...runbook('gpu', { capability: 'gpu' }),
  ...runbook('one', { bounds: '{ logLines: 1, outputBytes: 1, concurrency: 1 }' }),
  ...runbook('drop', { risk: 'destructive' }),
  ...runbook('away', { capability: 'far', executor: '{ kind: remote }' }),
  ...runbook('nested', { executor: '{ kind: steps, steps: [{ name: pause, wait: { for: 1m } }] }' }),
];
const file = (steps: readonly string[], over: Readonly<Record<string, string>> = {}): string =>
  [
    'roles:',
    "  approver: ['approval:decide']",
    'runbooks:',
    ...INNER,
    ...runbook('release', {
      args: '{ required: [service], properties: { service: { type: string }, maybe: { type: string }, count: { type: integer } } }',
      ...over,
    }).slice(0, -1),
    '    executor:',
    '      kind: steps',
    '      steps:',
    ...steps.map((line) => `        - ${line}`),
  ].join('\n');

const BUILD = '{ name: build, runbook: build, args: { service: "${args.service}" } }';

describe('a runbook of steps', () => {
  test('is compiled with the runbooks that it calls in their place', async () => {
    const { catalog } = await loadYaml(
      file([
        '{ name: build, runbook: build, args: { service: "${args.service}" }, compensate: { runbook: unbuild, args: { image: "${steps.build.image}" } } }',
        '{ name: agreed, wait: { approval: { quorum: 1, roles: [approver], timeout: 1h } } }',
        "{ name: heard, wait: { event: event.done, when: 'event.target == args.service && steps.build.ok == true', timeout: 1h } }",
        '{ name: settled, wait: { for: 10m } }',
      ]),
    );
    const release = catalog.runbooks.get('release');
    expect(release?.executor).toMatchObject({
      kind: 'steps',
      steps: [
        {
          name: 'build',
          runbook: { name: 'build', timeout: MINUTE, executor: { kind: 'shell' } },
          args: { service: '${args.service}' },
          compensate: { runbook: { name: 'unbuild' }, args: { image: '${steps.build.image}' } },
        },
        {
          name: 'agreed',
          wait: { kind: 'approval', approval: { quorum: 1, roles: ['approver'], timeout: HOUR } },
        },
        { name: 'heard', wait: { kind: 'event', event: 'event.done', timeout: HOUR } },
        { name: 'settled', wait: { kind: 'time', duration: 10 * MINUTE } },
      ],
    });
    expect(permissionsOf(release)).toEqual(['runbook:release', 'runbook:build', 'runbook:unbuild']);
  });

  test('asks for what its steps ask for', async () => {
    const { catalog } = await loadYaml(
      file(['{ name: guarded, runbook: guarded, args: { service: "${args.service}" } }']),
    );
    expect(catalog.runbooks.get('release')?.approval).toMatchObject({
      quorum: 1,
      roles: ['approver'],
      timeout: 2 * HOUR,
    });
  });

  test('has another digest once one of its steps’ runbooks is another', async () => {
    const digestOf = async (yaml: string) => {
      const release = (await loadYaml(yaml)).catalog.runbooks.get('release');
      return release && jobDigest(release, { service: 'api' });
    };
    const before = await digestOf(file([BUILD]));
    expect(await digestOf(file([BUILD]))).toBe(before);
    expect(await digestOf(file([BUILD]).replace('--version', '--help'))).not.toBe(before);
  });
});

type Case = [what: string, code: Code, says: RegExp, steps: readonly string[], over?: Record<string, string>];
const refused: readonly Case[] = [
  ['a step that names no runbook', 'SBX025', /no runbook "biuld"/, ['{ name: a, runbook: biuld }']],
  [
    'a compensation that names no runbook',
    'SBX025',
    /no runbook "gone"/,
    ['{ name: a, runbook: drop, compensate: { runbook: gone } }'],
    { risk: 'destructive' },
  ],
  ['two steps of one name', 'SBX006', /Two steps are called "build"/, [BUILD, BUILD]],
  ['a step that neither calls nor waits', 'SBX006', /call a runbook or to wait/, ['{ name: a }']],
  [
    'a step that does both',
    'SBX006',
    /call a runbook or to wait/,
    ['{ name: a, runbook: gone, wait: { for: 1m } }'],
  ],
  [
    'a wait that is undone',
    'SBX006',
    /call a runbook or to wait/,
    ['{ name: a, wait: { for: 1m }, compensate: { runbook: unbuild } }'],
  ],
  ['an unknown key', 'SBX004', /"retry"/, ['{ name: a, runbook: build, retry: 1 }']],
  ['steps within steps', 'SBX025', /steps do not nest/, ['{ name: a, runbook: nested }']],
  [
    'a step that is the whole again',
    'SBX025',
    /steps do not nest/,
    ['{ name: a, runbook: release, args: { service: x } }'],
  ],
  ['a remote step', 'SBX025', /program elsewhere/, ['{ name: a, runbook: away }']],
  ['a step with a capability of its own', 'SBX025', /worker with "gpu"/, ['{ name: a, runbook: gpu }']],
  ['a step that is limited in number', 'SBX025', /1 at a time/, ['{ name: a, runbook: one }']],
  ['a step of higher risk', 'SBX025', /drop is destructive/, ['{ name: a, runbook: drop }']],
  [
    'an argument that it does not take',
    'SBX026',
    /--extra is no argument/,
    ['{ name: a, runbook: build, args: { service: x, extra: 1 } }'],
  ],
  ['a missing argument', 'SBX026', /--service is missing/, ['{ name: a, runbook: build }']],
  [
    'a constant of the wrong kind',
    'SBX026',
    /n: must be integer/,
    ['{ name: a, runbook: build, args: { service: x, n: many } }'],
  ],
  [
    'an argument of the wrong kind',
    'SBX026',
    /takes service as string, and this is integer/,
    ['{ name: a, runbook: build, args: { service: "${args.count}" } }'],
    { args: '{ required: [count], properties: { count: { type: integer } } }' },
  ],
  [
    'text where a number is taken',
    'SBX026',
    /takes n as integer, and this is string/,
    ['{ name: a, runbook: build, args: { service: x, n: "1${args.service}" } }'],
  ],
  [
    'an argument that is not declared',
    'SBX016',
    /"sevice" is not a declared argument/,
    ['{ name: a, runbook: build, args: { service: "${args.sevice}" } }'],
  ],
  [
    'an argument that may be left out',
    'SBX016',
    /"maybe" may be left out/,
    ['{ name: a, runbook: build, args: { service: "${args.maybe}" } }'],
  ],
  [
    'a later step',
    'SBX016',
    /no earlier step "b"/,
    ['{ name: a, runbook: build, args: { service: "${steps.b.out}" } }', '{ name: b, wait: { for: 1m } }'],
  ],
  [
    'the step itself',
    'SBX016',
    /no earlier step "a"/,
    ['{ name: a, runbook: build, args: { service: "${steps.a.out}" } }'],
  ],
  [
    'what is kept without its secrets',
    'SBX016',
    /"\$\{steps.p.body.deployToken\}" is named as a secret/,
    [
      '{ name: p, runbook: unbuild }',
      '{ name: a, runbook: build, args: { service: "${steps.p.body.deployToken}" } }',
    ],
  ],
  [
    'the environment',
    'SBX016',
    /not a placeholder of a step/,
    ['{ name: a, runbook: build, args: { service: "${env:HOME}" } }'],
  ],
  [
    'an open brace',
    'SBX016',
    /not a placeholder of a step/,
    ['{ name: a, runbook: build, args: { service: "${args.service" } }'],
  ],
  [
    'an approved step that is filled from another',
    'SBX016',
    /cannot see what a step will return/,
    ['{ name: p, wait: { for: 1m } }', '{ name: a, runbook: guarded, args: { service: "${steps.p.x}" } }'],
  ],
  ['a wait for nothing', 'SBX006', /waits for one thing/, ['{ name: a, wait: {} }']],
  [
    'a wait for two things',
    'SBX006',
    /waits for one thing/,
    ['{ name: a, wait: { for: 1m, event: x.y, timeout: 1h } }'],
  ],
  ['a wait without a deadline', 'SBX011', /wait without end/, ['{ name: a, wait: { event: event.done } }']],
  [
    'an approval without a deadline',
    'SBX011',
    /timeout is missing/,
    ['{ name: a, wait: { approval: { quorum: 1, roles: [approver] } } }'],
  ],
  [
    'an automatic approval',
    'SBX012',
    /quorum of 0/,
    ['{ name: a, wait: { approval: { quorum: 0, roles: [approver], timeout: 1h } } }'],
  ],
  ['a deadline of a time', 'SBX006', /belong to an event/, ['{ name: a, wait: { for: 1m, timeout: 1h } }']],
  [
    'an event that is none',
    'SBX006',
    /"Done!" names no event/,
    ['{ name: a, wait: { event: "Done!", timeout: 1h } }'],
  ],
  [
    'a condition that does not compile',
    'SBX019',
    /CEL/,
    ["{ name: a, wait: { event: event.done, when: 'evnt.x', timeout: 1h } }"],
  ],
  [
    'more steps than may be tried',
    'SBX006',
    /2 steps do not fit into bounds.steps: 1/,
    ['{ name: a, runbook: unbuild, compensate: { runbook: unbuild } }', '{ name: b, wait: { for: 1m } }'],
    { bounds: '{ logLines: 1, outputBytes: 1, steps: 1 }' },
  ],
];

describe('signalbox check refuses', () => {
  test.each(refused)('%s', async (_what, code, says, steps, over = {}) => {
    const { problems } = await refusal(loadYaml(file(steps, over)));
    expect(problems.map((problem) => `${problem.code} ${problem.message}`).join('\n')).toMatch(says);
    expect(problems.map((problem) => problem.code)).toContain(code);
    for (const { line, mend } of problems) {
      expect(line).toBeGreaterThan(1);
      expect(mend).not.toBe('');
    }
  });

  test('the steps of a runbook that is broken elsewhere, too', async () => {
    const { problems } = await refusal(loadYaml(file(['{ name: a, runbook: biuld }'], { timeout: '30' })));
    expect(problems.map((problem) => problem.code)).toEqual(['SBX006', 'SBX025']);
  });
});
