import { describe, expect, test } from 'vitest';
import { argsOf, COMMANDS, CONTEXT, language, readText, refusal } from './fixtures.ts';

describe('examples', () => {
  test.each(COMMANDS.flatMap((c) => c.examples.map((e) => [e.text, e.json] as const)))(
    '%s',
    async (text, json) => {
      expect((await readText(text)).invocation).toEqual(json);
      expect((await language.read({ text: JSON.stringify(json) }, CONTEXT)).invocation).toEqual(json);
      expect((await language.read(json, CONTEXT)).invocation).toEqual(json);
    },
  );
});

describe('command names', () => {
  test.each([
    ['TASK List', 'task.list'],
    ['task.list', 'task.list'],
    ['/signalbox task list', 'task.list'],
    ['/sb task list', 'task.list'],
    ['signalbox task list', 'task.list'],
    ['@signalbox status', 'status'],
    ['approve APR-1', 'approval.approve'],
    ['Approval Approve APR-1', 'approval.approve'],
    ['job dead list', 'job.dead.list'],
    ['yes', 'yes'],
    ['/sb {"command":"task list"}', 'task.list'],
    ['\u200btask list \u200b', 'task.list'],
    ['\ufeff\u200b{"command":"task list"}\n\u200b', 'task.list'],
  ])('%s → %s', async (text, name) => {
    const reading = await readText(text);
    expect(reading.command.name).toBe(name);
    expect(reading.sure).toBe(true);
  });

  test.each([
    ['task craete x', 'There is no command "task craete". Did you mean task create?', ['task create']],
    ['tsak list', 'There is no command "tsak list". Did you mean task list?', ['task list']],
    ['list tasks', 'There is no command "list tasks". Did you mean task list?', ['task list']],
    ['statsu', 'There is no command "statsu". Did you mean status?', ['status']],
    ['aprove APR-1', 'There is no command "aprove APR-1". Did you mean approve?', ['approve']],
    ['frobnicate', 'There is no command "frobnicate". Type help to see what there is.', ['help']],
    ['', 'There is nothing to read. Type help to see what there is.', ['help']],
    ['/signalbox', 'There is nothing to read. Type help to see what there is.', ['help']],
    ['probe', 'probe needs a verb: run.', ['probe run']],
    ['job dead', 'job dead needs a verb: list.', ['job dead list']],
    ['job dead lsit', 'There is no command "job dead lsit". Did you mean job dead list?', ['job dead list']],
    ['job.dead.redrive', 'job dead has no verb redrive; it takes list.', ['job dead list']],
    [
      'job wat',
      'job has no verb wat; it takes run, list, dead list or purge.',
      expect.arrayContaining(['job run']),
    ],
  ])('%j is unknown', async (text, message, suggestions) => {
    const { code, ...rest } = await refusal(readText(text));
    expect(code).toBe('unknown_command');
    expect((await refusal(readText(text))).message).toBe(message);
    expect(rest.suggestions).toEqual(suggestions);
  });

  test('a noun alone lists its verbs', async () => {
    const { message, suggestions } = await refusal(readText('task'));
    expect(message).toBe('task needs a verb: create, list, show, move, assign, check or edit.');
    expect(suggestions).toContain('task create');
  });
});

describe('arguments', () => {
  test.each([
    ['task create "Fix login" --priority=p0', { title: 'Fix login', priority: 'P0' }],
    ['task create “Fix login” —priority P0', { title: 'Fix login', priority: 'P0' }],
    ['task create --title x --owner @Ana', { title: 'x', owner: 'Ana' }],
    [
      'task create x --depends-on tsk-1 --dependsOn TSK-A-1a',
      { title: 'x', dependsOn: ['TSK-1', 'TSK-A-1a'] },
    ],
    ['task create x --label a,b --labels c', { title: 'x', labels: ['a,b', 'c'] }],
    ['task create x --no-labels', { title: 'x', labels: [] }],
    ['task create -- --title', { title: '--title' }],
    ['task create "--title"', { title: '--title' }],
    ['task create -x', { title: '-x' }],
    ['task create x --description ""', { title: 'x', description: '' }],
    ['task create x --description=', { title: 'x', description: '' }],
    ['task create x --description="a\nb"', { title: 'x', description: 'a\nb' }],
    ['task create x --description a=b', { title: 'x', description: 'a=b' }],
    ['task create\nx\n--priority\nP2', { title: 'x', priority: 'P2' }],
    ['task list --all', { all: true }],
    ['task list --no-all', { all: false }],
    ['task list --all false --limit 5', { all: false, limit: 5 }],
    ['task list --all=yes', { all: true }],
    ['task list --state IN_PROGRESS', { state: 'in_progress' }],
    ['task check --id TSK-1 4 5', { id: 'TSK-1', items: [4, 5] }],
    ['task edit TSK-1 --no-owner --weight -1.5e3', { id: 'TSK-1', owner: null, weight: -1500 }],
    ['task edit TSK-1 --pinned=null --weight:=null', { id: 'TSK-1', pinned: null, weight: null }],
    ['task edit TSK-1 --steps:=[1,{"a":2}]', null],
    [`task edit TSK-1 --steps:='[1,{"a":2}]'`, { id: 'TSK-1', steps: [1, { a: 2 }] }],
    ['probe run api --timeout 5m --dry-run', { name: 'api', timeout: 300_000, dryRun: true }],
    ['probe run api --timeout=1.5h', { name: 'api', timeout: 5_400_000 }],
    ['probe run api --url https://x.test/h?a=b#c', { name: 'api', url: 'https://x.test/h?a=b#c' }],
    ['help task create', { topic: ['task', 'create'] }],
  ])('%s', async (text, args) => {
    if (args === null) expect((await refusal(readText(text))).code).toBe('invalid_argument');
    else expect(await argsOf(text)).toEqual(args);
  });

  test('parsed arguments have their defaults, the invocation has not', async () => {
    const reading = await readText('task list');
    expect(reading.args).toEqual({ limit: 50, all: false });
    expect(reading.invocation).toEqual({ command: 'task.list', args: {} });
  });

  test.each([
    ['job run deploy --env prod --service api', { env: 'prod', service: 'api' }],
    [
      'job run deploy --n 3 --f 1.5 --t true --l [1] --z 007 --v 1.0 --s null',
      {
        n: 3,
        f: 1.5,
        t: true,
        l: [1],
        z: '007',
        v: '1.0',
        s: 'null',
      },
    ],
    ['job run deploy --force --no-cache', { force: true, cache: false }],
    ['job run deploy --env:=\'"3"\'', { env: '3' }],
    ['job run deploy --id 12345678901234567890', { id: '12345678901234567890' }],
    ['job run deploy --args.env=prod --args.a.b 1 --args.a.c 2', { env: 'prod', a: { b: 1, c: 2 } }],
    [`job run deploy --args '{"a":1}' --b 2`, { a: 1, b: 2 }],
    ['job run deploy --note "{not json"', { note: '{not json' }],
    ['job run deploy --toString x', { toString: 'x' }],
  ])('a runbook takes flags of its own: %s', async (text, args) => {
    expect(await argsOf(text)).toEqual({ runbook: 'deploy', args });
  });

  test.each([
    ['task create x --pririty P0', 'task create has no argument --pririty; did you mean --priority?'],
    ['task create x --zzz', 'task create has no argument --zzz; it takes --title, --description, --priority'],
    ['status --x', 'status has no argument --x; it takes no arguments.'],
    ['task create', 'task create needs title (What has to be done).'],
    ['task move', 'task move needs id (The task) and to (Where to).'],
    [
      'task create x --priority P9',
      'priority: expected P0, P1 or P2, got "P9". Example: task create "Fix login"',
    ],
    [
      'task create Fix login',
      '"login" is one word too many; put quotes around words that belong together: task create "Fix login"',
    ],
    ['task move TSK-1 review now', '"now" is one word too many: task move takes id, to.'],
    ['status now', '"now" is one word too many: status takes nothing but flags.'],
    ['task create x --title y', 'one word too many'],
    ['task create --title x --title y', 'title is given twice.'],
    ['task create x --owner', '--owner needs a value.'],
    ['task create x --owner --priority P0', '--owner needs a value.'],
    ['task create x --no-priority', 'priority cannot be taken away'],
    ['task create ""', 'title: expected at least 1 character, got "".'],
    ['task list --limit many', 'limit: expected a number, got "many".'],
    ['task list --limit 1.5', 'limit: expected a whole number, got 1.5.'],
    ['task list --limit 201', 'limit: expected at most 200, got 201.'],
    ['task list --all=perhaps', 'all: expected true or false, got "perhaps".'],
    ['task check TSK-1 one', 'items: expected a number, got "one".'],
    ['probe run api --timeout 90', 'timeout: expected a duration such as 30s, 5m, 2h or 1d, got "90".'],
    ['probe run api --url nonsense', 'url: expected a URL, got "nonsense".'],
    ['job run deploy --args nope', 'args: expected JSON, got "nope".'],
    ['job run deploy --a 1 --a 2', '--a is given twice.'],
    ['job run deploy --a 1 --a.b 2', '--a.b is given twice.'],
    ['job run deploy --__proto__ x', '--__proto__ is not a name for a value.'],
    ['job run deploy --args.__proto__.x 1', 'is not a name for a value.'],
    ['job run deploy --a. x', 'is not a name for a value.'],
    ['task create x --priority.y z', 'task create has no argument --priority.y'],
    [`job run deploy --args '{"a":"\\u0000"}'`, 'control characters'],
  ])('%s is refused', async (text, message) => {
    const error = await refusal(readText(text));
    expect(error.code).toBe('invalid_argument');
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('\n');
  });

  test('nothing leaks into Object.prototype', async () => {
    await refusal(readText('job run deploy --__proto__.polluted yes'));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
