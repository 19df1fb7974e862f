import { pino } from 'pino';
import { z } from 'zod';
import { createHttp, type Http } from '../../../adapters/http.ts';
import type { Authenticator } from '../../../src/core/authenticator.ts';
import { command, type CommandSet } from '../../../src/core/command.ts';
import type { Feed, LogLine } from '../../../src/core/feed.ts';
import { createAdmission } from '../../../src/core/limits.ts';
import { verified, type Answer, type Inbound, type VerifiedIdentity } from '../../../src/core/message.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import type { JobState } from '../../../src/domain/job.ts';
import type { JournalEntry } from '../../../src/domain/journal.ts';
import type { Principal } from '../../../src/domain/principal.ts';

export const WORKSPACE = 'main';
export const silent = pino({ level: 'silent' });

/** A clock that stands until it is moved. */
export function stillClock(start = '2026-11-20T08:00:00.000Z') {
  let at = Date.parse(start);
  return {
    now: () => new Date(at),
    move: (milliseconds: number) => {
      at += milliseconds;
    },
  };
}

const identityOf = (subject: string, workspace = WORKSPACE): VerifiedIdentity =>
  verified({ workspace, channel: 'key', subject, assurance: 'key', scopes: ['*'] });

export const principalOf = (name: string, permissions: readonly string[] = ['*']): Principal => ({
  name,
  kind: 'person',
  display: name,
  roles: [],
  permissions,
  scopes: ['*'],
});

/** Knows the bearers `test-<name>` of the people it is given; taking one away revokes it. */
export function fakeAuthenticator(people: Map<string, Principal>) {
  const tickets = new Map<string, { identity: VerifiedIdentity; expiresAt: Date | undefined }>();
  const refused = () => new Refusal('unauthenticated', 'This bearer is not valid.');
  const state = { expiresAt: undefined as Date | undefined, workspace: WORKSPACE };
  const authenticator: Authenticator = {
    bearer: async (header) => {
      const name = /^Bearer test-(\w+)$/.exec(header ?? '')?.[1];
      if (name === undefined || !people.has(name)) throw refused();
      return { identity: identityOf(name, state.workspace), expiresAt: state.expiresAt };
    },
    principal: async (identity) => people.get(identity.subject),
    issueTicket: async (identity, expiresAt) => {
      const ticket = `ticket-${tickets.size + 1}`;
      tickets.set(ticket, { identity, expiresAt });
      return ticket;
    },
    redeemTicket: async (ticket) => {
      const held = tickets.get(ticket);
      if (!held) throw refused();
      tickets.delete(ticket);
      return held;
    },
    issueTokens: async () => ({ accessToken: 'fake-access', expiresIn: 900, refreshToken: 'fake-refresh' }),
    refresh: async (token, admit) => {
      if (token !== 'fake-refresh') throw refused();
      await admit?.(identityOf('ana', state.workspace));
      return { accessToken: 'fake-access-2', expiresIn: 900, refreshToken: 'fake-refresh-2' };
    },
    jwks: async () => ({ keys: [{ kty: 'RSA', kid: 'fake' }] }),
  };
  return { authenticator, state };
}

/** Limits that no test meets. */
export const unlimited = () =>
  createAdmission({ perSender: 1e6, perChannel: 1e6, perWorkspace: 1e6, heartbeats: 1e6 }, () => undefined);

/** A journal in memory; `append` is a commit. */
export function memoryFeed() {
  const entries: JournalEntry[] = [];
  const lines: LogLine[] = [];
  /** The state of each job that there is. */
  const jobStates = new Map<string, JobState>();
  const entryListeners = new Set<(entry: JournalEntry) => void>();
  const logListeners = new Set<(line: LogLine) => void>();
  const on = <T>(set: Set<T>, listener: T) => {
    set.add(listener);
    return () => void set.delete(listener);
  };
  const feed: Feed = {
    onEntry: (_workspace, listener) => on(entryListeners, listener),
    onLog: (_workspace, listener) => on(logListeners, listener),
    history: async (_workspace, after, limit) => entries.filter((entry) => entry.seq > after).slice(0, limit),
    logs: async (_workspace, job, after, limit) =>
      lines.filter((line) => line.job === job && line.cursor > after).slice(0, limit),
    jobState: async (_workspace, job) => jobStates.get(job),
    head: async () => entries.at(-1)?.seq ?? 0,
  };
  const append = (event: string, details: JournalEntry['details'] = {}, target = 'TSK-1'): JournalEntry => {
    const seq = (entries.at(-1)?.seq ?? 0) + 1;
    const entry = { ...entryOf(seq, event, details), target };
    entries.push(entry);
    for (const listener of entryListeners) listener(entry);
    return entry;
  };
  const log = (job: string, line: string): void => {
    const cursor = lines.filter((one) => one.job === job).length + 1;
    const item: LogLine = { job, cursor, line, stream: 'out' };
    lines.push(item);
    for (const listener of logListeners) listener(item);
  };
  return { feed, entries, append, log, jobStates, listeners: () => entryListeners.size + logListeners.size };
}

function entryOf(seq: number, event: string, details: JournalEntry['details'] = {}): JournalEntry {
  return {
    id: `entry-${seq}`,
    version: 1,
    workspace: WORKSPACE,
    seq,
    at: '2026-11-20T08:00:00.000Z',
    event,
    actor: 'ana',
    target: 'TSK-1',
    correlationId: 'corr-1',
    cause: null,
    details,
    salt: '00',
    commitment: '00',
    previous: '00',
    hash: '00',
  };
}

const example = { text: 'task list', json: { command: 'task.list', args: {} } };

const LIST: readonly ReturnType<typeof command>[] = [
  command({
    name: 'task.create',
    summary: 'Opens a task.',
    args: z.object({
      extra: z.record(z.string(), z.json()).optional(),
      title: z.string().describe('What is to be done.'),
      priority: z.enum(['P0', 'P1']).optional(),
    }),
    positional: ['title'],
    needs: 'task:create',
    risk: 'write',
    examples: [example],
    route: { method: 'post', path: '/v1/tasks', status: 201 },
    run: async () => ({ text: '' }),
  }),
  command({
    name: 'task.list',
    summary: 'Lists tasks.',
    args: z.object({
      limit: z.number().int().optional().describe('At most this many.'),
      archived: z.boolean().optional(),
      labels: z.array(z.string()).optional(),
      count: z.number().nullable().optional(),
    }),
    needs: 'task:read',
    risk: 'read',
    examples: [example],
    route: { method: 'get', path: '/v1/tasks' },
    run: async () => ({ text: '' }),
  }),
  command({
    name: 'task.show',
    summary: 'Shows a task.',
    args: z.object({ id: z.string().meta({ kind: 'ref' }) }),
    needs: 'task:read',
    risk: 'read',
    examples: [example],
    route: { method: 'get', path: '/v1/tasks/{id}' },
    run: async () => ({ text: '' }),
  }),
  command({
    name: 'task.edit',
    summary: 'Edits a task.',
    args: z.object({ id: z.string(), title: z.string().optional() }),
    needs: 'task:edit',
    risk: 'write',
    examples: [example],
    route: { method: 'patch', path: '/v1/tasks/{id}', ifMatch: 'required' },
    run: async () => ({ text: '' }),
  }),
  command({
    name: 'task.claim',
    summary: 'Claims the next task.',
    args: z.object({}),
    needs: 'task:claim',
    risk: 'write',
    examples: [example],
    route: { method: 'post', path: '/v1/tasks/claim' },
    run: async () => ({ text: '' }),
  }),
  command({
    name: 'event.add',
    summary: 'Records an outside fact.',
    args: z.object({ event: z.string() }),
    needs: 'event:create',
    risk: 'write',
    examples: [example],
    route: { method: 'post', path: '/v1/events', status: 201 },
    run: async () => ({ text: '' }),
  }),
  command({
    name: 'help',
    summary: 'Helps.',
    args: z.object({}),
    needs: 'none',
    risk: 'read',
    examples: [example],
    run: async () => ({ text: '' }),
  }),
];

export const commandSet: CommandSet = { all: LIST, find: (name) => LIST.find((one) => one.name === name) };

export const ok = (message: Inbound, data?: Answer['reply']['data']): Answer => ({
  id: 'message-1',
  status: 'ok',
  invocation:
    'command' in message.body ? { command: message.body.command, args: {} } : { command: 'help', args: {} },
  reply: { text: 'done', ...(data !== undefined && { data }) },
  correlationId: message.correlationId ?? 'corr-1',
});

/** What `receive` was given, and what it answers; `ok` unless set. */
export function stubReceive() {
  const messages: Inbound[] = [];
  const stub = {
    messages,
    answer: (message: Inbound): Answer | Promise<Answer> => ok(message),
    receive: async (message: Inbound): Promise<Answer> => {
      messages.push(message);
      return stub.answer(message);
    },
  };
  return stub;
}

export const refusedAnswer = (code: string, text: string, extra: object = {}): Answer => ({
  id: 'message-1',
  status: 'error',
  invocation: { command: 'task.show', args: { id: 'TSK-1' } },
  reply: { text },
  correlationId: 'corr-1',
  error: { code, ...extra },
});

export async function listening(
  options: Partial<Parameters<typeof createHttp>[0]> = {},
): Promise<Http & { url: string }> {
  const http = createHttp({
    host: '127.0.0.1',
    port: 0,
    trustedProxies: [],
    allowedOrigins: [],
    log: silent,
    ...options,
  });
  const { port } = await http.listen();
  return { ...http, url: `http://127.0.0.1:${port}` };
}

export const now = (): AbortSignal => AbortSignal.abort();
