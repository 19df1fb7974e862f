import { compileCel } from '../../core/cel.ts';
import { clip } from '../../domain/clip.ts';
import type { Effect } from '../../domain/effect.ts';
import { asRefusal, Refusal } from '../../domain/errors.ts';
import type { FailureClass } from '../../domain/failure.ts';
import { MOST_RESULT, type Outcome, type Usage } from '../../domain/job.ts';
import { jsonOf, type Json, type JsonObject } from '../../domain/json.ts';
import type { HttpExecutor, Runbook } from '../../domain/runbook.ts';
import { readUsage } from '../../domain/usage.ts';
import { BreakerOpen } from '../breakers.ts';
import { BodyTooLarge, TimedOut, type GuardedRequest, type GuardedResponse } from '../guard.ts';
import { cleanJson, cleanText } from './clean.ts';
import type { Execution, ExecutorDeps } from './execution.ts';
import { retryAfter } from './retry-after.ts';
import { Templates } from './template.ts';

/** Characters of the answer's body that the job keeps where its runbook maps nothing. */
const KEPT_BODY = 4_096;
const BODY = 'the body';
/** What comes before an answer's body. */
type Head = Pick<GuardedResponse, 'status' | 'headers'>;
const OURS = new Set(['idempotency-key', 'signalbox-cause']);

/**
 * Sends one HTTP request with the job's `Idempotency-Key` and `Signalbox-Cause`. An expected status is done; 408, 429,
 * 5xx, a broken connection and a time-out are worth another try; any other status fails.
 */
export async function runHttp(execution: Execution, deps: ExecutorDeps): Promise<Outcome> {
  const { executor } = execution.runbook;
  if (executor.kind !== 'http') throw new TypeError(`${execution.runbook.name} is no http runbook`);
  const templates = new Templates(execution.args, deps);
  const startedAt = deps.clock.now();
  let target = '';
  let answered = false;
  const effect = (outcome: string, result: Json): void => {
    const endedAt = deps.clock.now();
    execution.effect({ kind: 'http', target, outcome, result, startedAt, endedAt } satisfies Effect);
  };
  try {
    const request = requestOf(execution, executor, templates);
    target = targetOf(request, templates);
    const send = deps.breakers ? deps.breakers.around(deps.fetch) : deps.fetch;
    const answer = await send({ ...request, answered: () => (answered = true) });
    const took = Math.round(answer.latency);
    execution.log(
      'info',
      templates.hide(`${executor.method} ${answer.url} -> ${answer.status} in ${took} ms`),
    );
    const outcome = outcomeOf(answer, executor, execution, templates, deps.clock.now());
    effect(String(answer.status), ('result' in outcome && outcome.result) || { status: answer.status });
    return outcome;
  } catch (error) {
    const sent = target !== '' && (answered || wasSent(error));
    if (sent) effect(endOf(execution, error), null);
    if (execution.signal.aborted) return { kind: 'cancelled' };
    if (error instanceof BodyTooLarge)
      return tooLargeOf(error, executor, execution.runbook, deps.clock.now());
    return failureOf(error, templates, sent);
  }
}

function requestOf(execution: Execution, executor: HttpExecutor, templates: Templates): GuardedRequest {
  const headers = templates.fillAll(executor.headers, 'the header');
  const redirect = executor.expectStatus.some((status) => status >= 300 && status < 400);
  return {
    method: executor.method,
    url: templates.fill(executor.url, 'url', 'the address'),
    headers: {
      ...Object.fromEntries(Object.entries(headers).filter(([name]) => !OURS.has(name.toLowerCase()))),
      'idempotency-key': execution.idempotencyKey,
      'signalbox-cause': execution.cause,
    },
    body: bodyOf(executor, headers, templates),
    timeout: execution.runbook.timeout,
    maxBytes: execution.runbook.bounds.outputBytes,
    signal: execution.signal,
    ...(redirect && { maxRedirects: 0 }),
  };
}

/** Where it goes, without the query and without secrets. */
function targetOf({ url }: GuardedRequest, templates: Templates): string {
  const to = URL.parse(url);
  return clip(cleanText(to ? `${to.origin}${to.pathname}` : url, templates), 500);
}

/** Fills the body so that no argument can end its own place in it. */
function bodyOf(
  { body }: HttpExecutor,
  headers: Record<string, string>,
  templates: Templates,
): string | undefined {
  if (body === undefined) return undefined;
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  if (type.includes('form-urlencoded')) return templates.fill(body, 'form', BODY);
  if (!type.includes('json') && (type !== '' || !/^\s*[{[]/.test(body)))
    return templates.fill(body, 'text', BODY);
  const filled = templates.fill(body, 'json', BODY);
  if (jsonOf(filled) === undefined)
    throw new Refusal('invalid_argument', 'The body is not JSON once its templates are filled.');
  return filled;
}

function outcomeOf(
  answer: GuardedResponse,
  executor: HttpExecutor,
  execution: Execution,
  templates: Templates,
  now: Date,
): Outcome {
  const { status } = answer;
  if (executor.expectStatus.includes(status)) return doneWith(answer, executor, execution, templates);
  const refused = { kind: 'fail', failure: 'refused', reason: unlike(executor, status) } as const;
  return passing(answer, executor, now) ?? { ...refused, result: beginning(answer, templates) };
}

const unlike = ({ expectStatus }: HttpExecutor, status: number): string =>
  `expected status ${expectStatus.join(' or ')}, got ${status}`;

/** How a status ends the try that may be better the next time; undefined for any other. */
function passing({ status, headers }: Head, executor: HttpExecutor, now: Date): Outcome | undefined {
  const failure = failureOfStatus(status);
  if (failure === 'refused') return undefined;
  const after = retryAfter(headers['retry-after'], now);
  return { kind: 'retry', reason: unlike(executor, status), failure, ...(after !== undefined && { after }) };
}

/** Its status tells what became of it, whatever its body: what was done is not done again, nor left standing by steps. */
function tooLargeOf({ head }: BodyTooLarge, executor: HttpExecutor, { bounds }: Runbook, now: Date): Outcome {
  const { status } = head;
  const bound = 'bounds.outputBytes';
  const over = { kind: 'fail', failure: 'refused', bound } as const;
  const large = `its body is larger than ${bounds.outputBytes} bytes (${bound})`;
  if (executor.expectStatus.includes(status))
    return { ...over, stage: 'report', reason: `status ${status}, but ${large}`, result: { status } };
  return passing(head, executor, now) ?? { ...over, reason: `${unlike(executor, status)}, and ${large}` };
}

function failureOfStatus(status: number): FailureClass {
  if (status === 408) return 'timeout';
  if (status === 429) return 'rate_limited';
  return status >= 500 ? 'server' : 'refused';
}

const beginning = ({ status, latency, body }: GuardedResponse, templates: Templates): JsonObject => ({
  status,
  latency: Math.round(latency),
  body: cleanText(body.toString('utf8'), templates).slice(0, KEPT_BODY).toWellFormed(),
});

function doneWith(
  answer: GuardedResponse,
  { result: fields, usage }: HttpExecutor,
  execution: Execution,
  templates: Templates,
): Outcome {
  const { status, headers } = answer;
  const text = answer.body.toString('utf8');
  const values = { status, headers, body: jsonOf(text) ?? text };
  const used = usage && usedIn(usage, values, execution, templates);
  const more = used && { usage: used };
  if (!fields) return { kind: 'done', result: beginning(answer, templates), ...more };
  // It was done, whatever its answer looks like; that it cannot be read is told without trying it again.
  const unreadable = (reason: string): Outcome => ({
    kind: 'fail',
    stage: 'report',
    reason: `status ${status}, but ${reason}`,
    result: beginning(answer, templates),
    ...more,
  });
  try {
    const result = cleanJson(mapped(fields, values), templates);
    if (JSON.stringify(result).length <= MOST_RESULT) return { kind: 'done', result, ...more };
    return unreadable(`its mapped result is larger than ${MOST_RESULT} characters`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return unreadable(`its result could not be mapped: ${cleanText(error.message, templates)}`);
  }
}

const mapped = (fields: Readonly<Record<string, string>>, values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(fields).map(([name, expression]) => [
      name,
      compileCel(expression, Object.keys(values)).evaluate(values) as Json,
    ]),
  );

/** What cannot be read of it is told in the log, and undoes nothing. */
function usedIn(
  usage: Readonly<Record<string, string>>,
  values: Readonly<Record<string, unknown>>,
  execution: Execution,
  templates: Templates,
): Usage | undefined {
  try {
    return readUsage(mapped(usage, values));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    execution.log('err', `the usage could not be read: ${cleanText(error.message, templates)}`);
    return undefined;
  }
}

function failureOf(error: unknown, templates: Templates, sent: boolean): Outcome {
  const refusal = asRefusal(error);
  if (refusal.code === 'internal') throw error;
  const reason = templates.hide(refusal.message);
  if (refusal instanceof TimedOut) return { kind: 'retry', failure: 'timeout', bound: 'timeout', reason };
  const { retryAfter: after } = refusal;
  if (refusal.code === 'unavailable')
    return {
      kind: 'retry',
      failure: 'network',
      reason,
      ...(after !== undefined && { after }),
      ...(refusal instanceof BreakerOpen && { heldOff: true }),
    };
  return { kind: 'fail', failure: 'refused', ...(!sent && { stage: 'start' }), reason };
}

/** Whether it may have reached the far side: not what was refused before it was sent. */
const wasSent = (error: unknown): boolean =>
  !(error instanceof Refusal) ||
  error.code === 'too_large' ||
  (error.code === 'unavailable' && !(error instanceof BreakerOpen));

function endOf({ signal }: Execution, error: unknown): string {
  if (signal.aborted) return 'cancelled';
  if (error instanceof TimedOut) return 'timeout';
  if (error instanceof BodyTooLarge) return String(error.head.status);
  return error instanceof Refusal && error.code === 'unavailable' ? 'no answer' : 'unreadable answer';
}
