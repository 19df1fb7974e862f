import { describe, expect, test } from 'vitest';
import { CONTEXT, language, readText, refusal } from './fixtures.ts';

describe('plain language', () => {
  test.each([
    [
      'please open an urgent task for Ana to fix login by Friday',
      'task.create',
      { title: 'fix login', priority: 'P0', owner: 'ana', due: '2026-11-20T23:59:59.000Z' },
    ],
    ['Could you create a task to update the docs?', 'task.create', { title: 'update the docs' }],
    [
      'add a low priority ticket: renew the certificate, thanks!',
      'task.create',
      { title: 'renew the certificate', priority: 'P2' },
    ],
    ['open a task for the login page', 'task.create', { title: 'the login page' }],
    [
      'create a task for me to call Bob due tomorrow 9:00',
      'task.create',
      { title: 'call Bob', owner: 'ben', due: '2026-11-19T09:00:00.000Z' },
    ],
    [
      'file an issue "Login does not work" and assign it to @Ana',
      'task.create',
      { title: 'Login does not work', owner: 'ana' },
    ],
    ['make a task to stand by the river', 'task.create', { title: 'stand by the river' }],
    ['show me all open tasks', 'task.list', {}],
    ['show me my tasks', 'task.list', { owner: 'ben' }],
    ['which tasks are blocked?', 'task.list', { state: 'blocked' }],
    ['list the tasks of Ana', 'task.list', { owner: 'ana' }],
    ['show me tsk 12', 'task.show', { id: 'TSK-12' }],
    ["what's the status of task 12?", 'task.show', { id: 'TSK-12' }],
    ['please move tsk 12 to in progress', 'task.move', { id: 'TSK-12', to: 'in_progress' }],
    ['mark TSK-12 as done please', 'task.move', { id: 'TSK-12', to: 'done' }],
    ['hey signalbox, assign tsk-12 to Ana', 'task.assign', { id: 'TSK-12', owner: 'ana' }],
    [
      'run the deploy job with env prod and service=api',
      'job.run',
      { runbook: 'deploy', args: { env: 'prod', service: 'api' } },
    ],
    ['can you start the job deploy', 'job.run', { runbook: 'deploy' }],
    ['which jobs are running', 'job.list', { state: 'running' }],
    ['run the api probe', 'probe.run', { name: 'api' }],
    ['what is the status?', 'status', {}],
    ['what can you do?', 'help', {}],
  ])('%s', async (text, command, args) => {
    const reading = await readText(text);
    expect(reading.invocation).toEqual({ command, args });
    expect(reading.sure).toBe(false);
  });

  test.each([
    "don't run the deploy job",
    'do not open a task for Ana to fix login',
    'never run the api probe',
    'please dont move tsk 12 to done',
    'run the deploy job? no',
    'I moved tsk 12 to review',
    'Ana created a task to fix login yesterday',
    'did you run the api probe?',
    'should I run the deploy job?',
    'would it be ok to move tsk 12 to done?',
    'run the deploy job?',
    'how do I create a task?',
    'if the build fails, run the deploy job',
    'run the deploy job if the build passes',
    'open a task to fix login unless Ana has one',
    'we could run the deploy job',
    'what would happen to tsk 12',
    'move tsk 12 to done after the review',
    'Ana said: run the deploy job',
    'create a task to fix login. then run the deploy job',
    'run the deploy job and purge JOB-1',
    'approve the deploy please',
    'please approve apr 12',
    'yes do it now',
    'please purge job 12',
    'purge the job JOB-1',
    'open a task',
    'run the job',
    'the weather is nice today',
    'create a task was what I wanted',
  ])('is not read out of: %s', async (text) => {
    const outcome = await readText(text).catch((error: unknown) => error);
    expect(outcome).toMatchObject({ name: 'Refusal' });
  });

  test('a sentence that nothing matches gets the refusal of an unknown command', async () => {
    expect((await refusal(readText('please make me a coffee'))).code).toBe('unknown_command');
  });

  test('two words are a slip of the hand, not a sentence', async () => {
    expect(await refusal(readText('list jobs'))).toMatchObject({
      code: 'unknown_command',
      suggestions: ['job list'],
    });
  });

  test('the exact form wins over a sentence', async () => {
    expect((await language.read({ text: 'task create "run the deploy job"' }, CONTEXT)).sure).toBe(true);
  });

  test('a very long sentence is none', async () => {
    expect((await refusal(readText(`create a task to ${'very '.repeat(500)}`))).code).toBe('unknown_command');
  });
});
