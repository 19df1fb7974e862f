import type { ServerResponse } from 'node:http';
import { asRefusal, Refusal, STATUS, type RefusalCode } from '../../src/domain/errors.ts';
import type { Answer, Invocation } from '../../src/core/message.ts';
import { correlationOf } from './edge.ts';
import { send } from './send.ts';

const TITLE: Record<RefusalCode, string> = {
  malformed: 'The request cannot be read',
  invalid_argument: 'An argument is not what was expected',
  unknown_command: 'There is no such command',
  unauthenticated: 'The sender is not proven',
  forbidden: 'Not allowed',
  not_found: 'Not found',
  method_not_allowed: 'The method is not allowed here',
  conflict: 'The present state does not allow it',
  stale: 'Somebody changed it in between',
  too_large: 'Too large',
  unsupported_media_type: 'The content type is not supported',
  key_reused: 'The key was used for something else',
  upgrade_required: 'Another protocol is spoken here',
  precondition_required: 'A precondition is required',
  rate_limited: 'Too many requests',
  internal: 'Something went wrong inside',
  unavailable: 'Not available at the moment',
};

/** An RFC 9457 problem document; `code` is stable, `detail` is for people. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: RefusalCode;
  readonly suggestions?: readonly string[];
  /** What the text was read as, where it could be read. */
  readonly invocation?: Invocation;
  readonly correlationId?: string;
}

export interface ProblemContext {
  readonly invocation?: Invocation | undefined;
  readonly correlationId?: string | undefined;
}

export function problemOf(refusal: Refusal, context: ProblemContext = {}): Problem {
  const { code, message, suggestions } = refusal;
  return {
    type: `urn:signalbox:problem:${code}`,
    title: TITLE[code],
    status: STATUS[code],
    detail: message,
    code,
    ...(suggestions.length > 0 && { suggestions }),
    ...(context.invocation && { invocation: context.invocation }),
    ...(context.correlationId !== undefined && { correlationId: context.correlationId }),
  };
}

/** The header fields that the status of a refusal calls for (RFC 9110, 10.2.3, 11.6.1 and 15.5.22). */
export function problemHeaders({ code, retryAfter = 1_000 }: Refusal): [name: string, value: string][] {
  switch (STATUS[code]) {
    case 401:
      return [['WWW-Authenticate', 'Bearer realm="signalbox"']];
    case 426:
      return [
        ['Upgrade', 'websocket'],
        ['Connection', 'Upgrade'],
      ];
    case 429:
    case 503:
      return [['Retry-After', String(Math.max(1, Math.ceil(retryAfter / 1_000)))]];
    default:
      return [];
  }
}

/** Answers with the problem document of any error; what is not a refusal is shown as `internal`, without its text. */
export function sendProblem(res: ServerResponse, error: unknown, context: ProblemContext = {}): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const refusal = asRefusal(error);
  const problem = problemOf(refusal, { correlationId: correlationOf(res), ...context });
  for (const [name, value] of problemHeaders(refusal)) res.setHeader(name, value);
  send(res, problem.status, 'application/problem+json', JSON.stringify(problem));
}

/** The refusal that an answer with status `error` tells of. */
export function refusalOf(answer: Answer): Refusal {
  const code = answer.error?.code ?? 'internal';
  const { suggestions, retryAfter } = answer.error ?? {};
  return new Refusal(isCode(code) ? code : 'internal', answer.reply.text, {
    ...(suggestions && { suggestions }),
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

const isCode = (code: string): code is RefusalCode => Object.hasOwn(STATUS, code);
