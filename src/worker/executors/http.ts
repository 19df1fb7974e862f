import { asRefusal, Refusal } from '../../domain/errors.ts';
import type { Outcome } from '../../domain/job.ts';
import type { HttpExecutor } from '../../domain/runbook.ts';
import { redactText } from '../../domain/redact.ts';
import type { GuardedRequest, GuardedResponse } from '../guard.ts';
import type { Execution, ExecutorDeps } from './execution.ts';
import { retryAfter } from './retry-after.ts';
import { Templates } from './template.ts';

/** Characters of the answer's body that the job keeps. */
const KEPT_BODY = 4_096;

/**
 * Sends one HTTP request with the job's `Idempotency-Key`. An expected status is done; 408, 429, 5xx, a broken
 * connection and a time-out are worth another try; any other status fails.
 */
export async function runHttp(execution: Execution, deps: ExecutorDeps): Promise<Outcome> {
  const { executor } = execution.runbook;
  if (executor.kind !== 'http') throw new TypeError(`${execution.runbook.name} is no http runbook`);
  const templates = new Templates(execution.args, deps.env, deps.self);
  try {
    const answer = await deps.fetch(requestOf(execution, executor, templates));
    const took = Math.round(answer.latency);
    execution.log(
      'info',
      templates.hide(`${executor.method} ${answer.url} -> ${answer.status} in ${took} ms`),
    );
    return outcomeOf(answer, executor, templates, deps.clock.now());
  } catch (error) {
    if (execution.signal.aborted) return { kind: 'cancelled' };
    return failureOf(error, templates);
  }
}

function requestOf(execution: Execution, executor: HttpExecutor, templates: Templates): GuardedRequest {
  const headers = templates.fillAll(executor.headers);
  const redirect = executor.expectStatus.some((status) => status >= 300 && status < 400);
  return {
    method: executor.method,
    url: templates.fill(executor.url, 'url'),
    headers: { ...withoutKey(headers), 'idempotency-key': execution.idempotencyKey },
    body: bodyOf(executor, headers, templates),
    timeout: execution.runbook.timeout,
    maxBytes: execution.runbook.bounds.outputBytes,
    signal: execution.signal,
    ...(redirect && { maxRedirects: 0 }),
  };
}

const withoutKey = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'idempotency-key'));

/** Fills the body so that no argument can end its own place in it. */
function bodyOf(
  { body }: HttpExecutor,
  headers: Record<string, string>,
  templates: Templates,
): string | undefined {
  if (body === undefined) return undefined;
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  if (type.includes('form-urlencoded')) return templates.fill(body, 'form');
  if (!type.includes('json') && (type !== '' || !/^\s*[{[]/.test(body))) return templates.fill(body);
  const filled = templates.fill(body, 'json');
  if (!isJson(filled))
    throw new Refusal('invalid_argument', 'The body is not JSON once its templates are filled.');
  return filled;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function outcomeOf(
  answer: GuardedResponse,
  executor: HttpExecutor,
  templates: Templates,
  now: Date,
): Outcome {
  const { status } = answer;
  const body = redactText(templates.hide(answer.body.toString('utf8'))).slice(0, KEPT_BODY);
  const result = { status, latency: Math.round(answer.latency), body: body.toWellFormed() };
  if (executor.expectStatus.includes(status)) return { kind: 'done', result };
  const reason = `expected status ${executor.expectStatus.join(' or ')}, got ${status}`;
  if (status !== 408 && status !== 429 && status < 500) return { kind: 'fail', reason, result };
  const after = retryAfter(answer.headers['retry-after'], now);
  return { kind: 'retry', reason, ...(after !== undefined && { after }) };
}

function failureOf(error: unknown, templates: Templates): Outcome {
  const refusal = asRefusal(error);
  if (refusal.code === 'internal') throw error;
  const bound = refusal.code === 'too_large' ? ' (bounds.outputBytes)' : '';
  const reason = templates.hide(refusal.message) + bound;
  return { kind: refusal.code === 'unavailable' ? 'retry' : 'fail', reason };
}
