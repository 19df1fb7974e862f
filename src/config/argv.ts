import type { Path, Report } from './problem.ts';
import type { Template } from './templates.ts';

/** Programs that take program text after these flags. */
const INTERPRETER =
  /(?:^|\/)(?:(?:ba|da|z|k|fi)?sh|su|runuser|script|flock|node|deno|bun|python[\d.]*|perl|ruby|php|pwsh|powershell|cmd|psql|mysql)(?:\.exe)?$/;
const CODE_FLAG = /^(?:-\w*[cepr]|--eval|--print|--command|--execute|-Command|\/c|eval)$/i;
const CODE_IN_FLAG = /^(?:--(?:eval|print|command|execute)=|-[cepr]\S)/i;
/** Programs that hand what follows to a shell, joined to one text. */
const JOINER = /(?:^|\/)(?:ssh|autossh|rsh|watch|parallel|eval)$/;
/** Options of ssh with a value of their own; some of those name a program. */
const SSH_VALUED = /^-\w*[BbcDEeFIiJLlmOopQRSWw]$/;
/** Variables that choose a program, or what it loads. */
const CHOOSING =
  /^(?:PATH|IFS|ENV|BASH_ENV|SHELL|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|(?:LD|DYLD)_\w+|NODE_(?:OPTIONS|PATH)|PYTHON(?:PATH|HOME|STARTUP)|PERL5?(?:OPT|LIB|DB)|RUBY(?:OPT|LIB)|JAVA_TOOL_OPTIONS|GIT_(?:SSH\w*|EXTERNAL_DIFF|EDITOR|PAGER|ASKPASS|CONFIG\w*)|SSH_ASKPASS|EDITOR|VISUAL|PAGER|BROWSER)$/;

const hasArgument = (text: string): boolean => text.includes('${args.');

/**
 * An argument must stay an argument: it names no program, and does not become part of program text, also where the
 * interpreter is itself started by another program (`timeout 5 sh -c …`, `docker exec web bash -lc …`).
 */
export function checkArgv(argv: readonly Template[], report: Report): void {
  const [program] = argv;
  if (program && hasArgument(program.text))
    report('SBX016', program.path, 'An argument cannot choose the program.', 'Write the program out.');
  const code = new Set(argv.flatMap(({ text }, at) => codeAfter(text, argv.slice(at + 1))));
  for (const { text, path } of code)
    if (hasArgument(text))
      report(
        'SBX016',
        path,
        'An argument filled into program text could change the program.',
        'Pass it as an element of its own to a program that reads it there ($1, process.argv[1], sys.argv[1]).',
      );
  for (const { text, path } of argv) {
    const name = /^(\w+)=/.exec(text)?.[1];
    if (name !== undefined) checkVariable(name, { text, path }, report);
  }
}

/** Reports an argument in a variable that chooses what runs. */
export function checkVariable(
  name: string,
  { text, path }: { text: string; path: Path },
  report: Report,
): void {
  if (CHOOSING.test(name) && hasArgument(text))
    report(
      'SBX016',
      path,
      `An argument in ${name} could choose another program.`,
      'Write the value out, or pass the argument in a variable of your own.',
    );
}

/** The elements after a program that it takes for program text. */
function codeAfter(program: string, rest: readonly Template[]): readonly Template[] {
  if (JOINER.test(program)) return joined(program, rest);
  if (!INTERPRETER.test(program)) return [];
  // Further options may stand between the flag and the text.
  let awaited = false;
  return rest.filter(({ text }) => {
    const isCode = awaited || CODE_IN_FLAG.test(text);
    awaited = CODE_FLAG.test(text) || (awaited && /^[-+]/.test(text));
    return isCode;
  });
}

/** All that follows; of ssh neither where it goes nor, besides `-o` and the like, its options. */
function joined(program: string, rest: readonly Template[]): readonly Template[] {
  if (!program.endsWith('ssh')) return rest;
  const at = rest.findIndex(
    ({ text }, index) => !text.startsWith('-') && !SSH_VALUED.test(rest[index - 1]?.text ?? ''),
  );
  const [options, command] = at < 0 ? [rest, []] : [rest.slice(0, at), rest.slice(at + 1)];
  const programs = options.filter(
    ({ text }, index) => /^-o./.test(text) || /^-\w*[oFJS]$/.test(options[index - 1]?.text ?? ''),
  );
  return [...programs, ...command];
}
