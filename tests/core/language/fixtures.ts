import { z } from 'zod';
import { command, type Command, type CommandSet } from '../../../src/core/command.ts';
import { createLanguage } from '../../../src/core/language/index.ts';
import type { Reading } from '../../../src/core/language.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { PRIORITIES, TASK_STATES } from '../../../src/domain/task.ts';

const run = async (): Promise<{ text: string }> => ({ text: 'done' });
const id = z.string().min(1).meta({ kind: 'ref' }).describe('The task.');
const principal = z.string().min(1).meta({ kind: 'principal' });

/** The shape of the real commands, with every kind of argument among them. */
export const COMMANDS: readonly Command[] = [
  command({
    name: 'task.create',
    summary: 'Opens a task.',
    args: z.object({
      title: z.string().min(1).max(200).describe('What has to be done.'),
      description: z.string().max(10_000).optional().describe('Everything else.'),
      priority: z.enum(PRIORITIES).default('P1').describe('How urgent it is.'),
      owner: principal.optional().describe('Who does it.'),
      labels: z.array(z.string().min(1)).optional().describe('Labels.'),
      dependsOn: z.array(id).optional().describe('Tasks that come first.'),
      due: z.string().meta({ kind: 'date', day: 'end' }).optional().describe('Until when.'),
    }),
    positional: ['title'],
    needs: 'task:create',
    risk: 'write',
    examples: [
      {
        text: 'task create "Fix login" --priority P0 --owner @ana',
        json: { command: 'task.create', args: { title: 'Fix login', priority: 'P0', owner: 'ana' } },
        says: 'please open an urgent task for Ana to fix login',
      },
    ],
    run,
  }),
  command({
    name: 'task.list',
    summary: 'Lists tasks.',
    args: z.object({
      state: z.enum(TASK_STATES).optional().describe('Only these.'),
      owner: principal.optional().describe('Whose.'),
      limit: z.int().min(1).max(200).default(50).describe('How many at most.'),
      all: z.boolean().default(false).describe('Closed ones too.'),
    }),
    needs: 'task:read',
    risk: 'read',
    examples: [
      { text: 'task list --state review', json: { command: 'task.list', args: { state: 'review' } } },
      { text: 'task list --all', json: { command: 'task.list', args: { all: true } } },
    ],
    run,
  }),
  command({
    name: 'task.show',
    summary: 'Shows a task.',
    args: z.object({ id }),
    positional: ['id'],
    needs: 'task:read',
    risk: 'read',
    examples: [{ text: 'task show TSK-12', json: { command: 'task.show', args: { id: 'TSK-12' } } }],
    run,
  }),
  command({
    name: 'task.move',
    summary: 'Moves a task.',
    args: z.object({ id, to: z.enum(TASK_STATES).describe('Where to.') }),
    positional: ['id', 'to'],
    needs: 'task:move',
    risk: 'write',
    examples: [
      {
        text: 'task move TSK-12 review',
        json: { command: 'task.move', args: { id: 'TSK-12', to: 'review' } },
      },
    ],
    run,
  }),
  command({
    name: 'task.assign',
    summary: 'Gives a task to somebody.',
    args: z.object({ id, owner: principal.describe('Who does it.') }),
    positional: ['id', 'owner'],
    needs: 'task:assign',
    risk: 'write',
    examples: [
      {
        text: 'task assign TSK-12 @ana',
        json: { command: 'task.assign', args: { id: 'TSK-12', owner: 'ana' } },
      },
    ],
    run,
  }),
  command({
    name: 'task.check',
    summary: 'Ticks checklist items.',
    args: z.object({ id, items: z.array(z.int()).optional().describe('Their numbers.') }),
    positional: ['id', 'items'],
    needs: 'task:edit',
    risk: 'write',
    examples: [
      { text: 'task check TSK-1 1 2', json: { command: 'task.check', args: { id: 'TSK-1', items: [1, 2] } } },
    ],
    run,
  }),
  command({
    name: 'task.edit',
    summary: 'Changes a task.',
    args: z.object({
      id,
      title: z.string().optional().describe('The new title.'),
      owner: principal.nullable().optional().describe('The new owner.'),
      weight: z.number().nullable().optional().describe('A number.'),
      pinned: z.boolean().nullable().optional().describe('Whether it stays on top.'),
      extra: z.json().optional().describe('Anything.'),
      steps: z.array(z.json()).optional().describe('Any things.'),
    }),
    positional: ['id', 'title'],
    needs: 'task:edit',
    risk: 'write',
    examples: [
      { text: 'task edit TSK-1 New', json: { command: 'task.edit', args: { id: 'TSK-1', title: 'New' } } },
    ],
    run,
  }),
  command({
    name: 'job.run',
    summary: 'Runs a runbook.',
    args: z.object({
      runbook: z.string().min(1).describe('Its name.'),
      after: z.string().meta({ kind: 'date' }).optional().describe('Not before.'),
      args: z
        .record(z.string(), z.json())
        .default({})
        .meta({ kind: 'json', rest: true })
        .describe('Its arguments.'),
    }),
    positional: ['runbook'],
    needs: 'job:run',
    risk: 'write',
    examples: [
      {
        text: 'job run deploy --env prod',
        json: { command: 'job.run', args: { runbook: 'deploy', args: { env: 'prod' } } },
      },
    ],
    run,
  }),
  command({
    name: 'job.list',
    summary: 'Lists jobs.',
    args: z.object({ state: z.enum(['queued', 'running', 'failed']).optional().describe('Only these.') }),
    needs: 'job:read',
    risk: 'read',
    examples: [{ text: 'job list', json: { command: 'job.list', args: {} } }],
    run,
  }),
  command({
    name: 'job.dead.list',
    summary: 'Lists dead letters.',
    args: z.object({}),
    needs: 'job:read',
    risk: 'read',
    examples: [{ text: 'job dead list', json: { command: 'job.dead.list', args: {} } }],
    run,
  }),
  command({
    name: 'job.purge',
    summary: 'Deletes jobs for good.',
    args: z.object({ id: z.string().describe('The job.') }),
    positional: ['id'],
    needs: 'job:purge',
    risk: 'destructive',
    examples: [{ text: 'job purge JOB-1', json: { command: 'job.purge', args: { id: 'JOB-1' } } }],
    run,
  }),
  command({
    name: 'probe.run',
    summary: 'Runs a probe.',
    args: z.object({
      name: z.string().min(1).describe('Its name.'),
      timeout: z
        .number()
        .positive()
        .max(86_400_000)
        .default(30_000)
        .meta({ kind: 'duration' })
        .describe('At most.'),
      dryRun: z.boolean().optional().describe('Says what it would do.'),
      url: z.url().optional().describe('Instead of its own.'),
      day: z.iso.date().optional().describe('As of.'),
    }),
    positional: ['name'],
    needs: 'probe:run',
    risk: 'write',
    examples: [{ text: 'probe run api', json: { command: 'probe.run', args: { name: 'api' } } }],
    run,
  }),
  command({
    name: 'approval.approve',
    summary: 'Approves.',
    args: z.object({ id: z.string().meta({ kind: 'ref' }).describe('The approval.') }),
    positional: ['id'],
    aliases: ['approve'],
    needs: 'approval:decide',
    risk: 'write',
    examples: [{ text: 'approve APR-1', json: { command: 'approval.approve', args: { id: 'APR-1' } } }],
    run,
  }),
  command({
    name: 'help',
    summary: 'Explains.',
    args: z.object({ topic: z.array(z.string()).optional().describe('A command or a noun.') }),
    positional: ['topic'],
    needs: 'none',
    risk: 'read',
    examples: [{ text: 'help task create', json: { command: 'help', args: { topic: ['task', 'create'] } } }],
    run,
  }),
  ...(['status', 'whoami', 'yes', 'no'] as const).map((name) =>
    command({
      name,
      summary: `Says ${name}.`,
      args: z.object({}),
      needs: 'none',
      risk: name === 'status' || name === 'whoami' ? 'read' : 'write',
      examples: [{ text: name, json: { command: name, args: {} } }],
      run,
    }),
  ),
];

export const commandSet: CommandSet = {
  all: COMMANDS,
  find: (name) => COMMANDS.find((c) => c.name === name),
};

export const language = createLanguage(commandSet);

/** A Wednesday. */
const NOW = new Date('2026-11-18T10:00:00.000Z');
export const CONTEXT = { now: NOW, who: 'ben' };

export const readText = (text: string): Promise<Reading> => language.read({ text }, CONTEXT);

export async function argsOf(text: string): Promise<JsonObject> {
  return (await readText(text)).invocation.args;
}

export const readArgsJson = (name: string, args: unknown): Promise<Reading> =>
  language.read({ command: name, args }, CONTEXT);

/** The refusal that a promise ends in. */
export async function refusal(promise: Promise<unknown>): Promise<Refusal> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('was not refused');
}
