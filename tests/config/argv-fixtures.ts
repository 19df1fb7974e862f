import { args, complete, fixture, type Fixture } from './fixture.ts';

const CASES: readonly (readonly [what: string, message: RegExp, executor: string])[] = [
  ['an argument as the program', /choose the program/, 'argv: ["${args.name}"]'],
  ['an argument in a shell script', /program text/, 'argv: [/bin/sh, -c, "echo ${args.name}"]'],
  ['an argument in a Node script', /program text/, 'argv: [node, --eval, "f(${args.name})"]'],
  ['an argument in a script given with =', /program text/, 'argv: [node, "--eval=f(${args.name})"]'],
  [
    'an argument in a script behind another program',
    /program text/,
    'argv: [timeout, "5", sh, -c, "echo ${args.name}"]',
  ],
  [
    'an argument in a script in a container',
    /program text/,
    'argv: [docker, exec, web, bash, -lc, "echo ${args.name}"]',
  ],
  [
    'an argument in a script after further options',
    /program text/,
    'argv: [bash, -c, --, "echo ${args.name}"]',
  ],
  ['an argument in a command of ssh', /program text/, 'argv: [ssh, -p, "22", web, "deploy ${args.name}"]'],
  [
    'an argument in an option of ssh that names a program',
    /program text/,
    'argv: [ssh, -o, "ProxyCommand=${args.name}", web]',
  ],
  [
    'an argument in a variable of env that chooses the program',
    /PATH could choose/,
    'argv: [env, "PATH=${args.name}", tar]',
  ],
  ['an argument in PATH', /PATH could choose/, 'argv: [tar], env: { PATH: "${args.name}" }'],
  [
    'an argument in LD_PRELOAD',
    /LD_PRELOAD could choose/,
    'argv: [tar], env: { LD_PRELOAD: "${args.name}" }',
  ],
  ['an argument in BASH_ENV', /BASH_ENV could choose/, 'argv: [tar], env: { BASH_ENV: "${args.name}" }'],
];

/** Arguments that would be more than arguments. */
export const ARGV_FIXTURES: readonly Fixture[] = CASES.map(([what, message, executor]) =>
  fixture('SBX016', 10, what, message, complete(args, `    executor: { kind: shell, ${executor} }`)),
);
