import type { Response } from 'express';
import type { Answer } from '../../src/core/message.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { STATUS, type Refusal } from '../../src/domain/errors.ts';
import { refusalOf, sendJson } from '../http.ts';

/** The answers of all rules that matched; the status is the worst of them, 202 while something waits for a person. */
export function sendAnswers(res: Response, results: readonly Answer[]): void {
  const retryAfter = Math.max(0, ...results.map((answer) => answer.error?.retryAfter ?? 0));
  if (retryAfter > 0) res.setHeader('Retry-After', Math.ceil(retryAfter / SECOND));
  sendJson(res, Math.max(200, ...results.map(statusOf)), { results });
}

function statusOf(answer: Answer): number {
  if (answer.status === 'error') return STATUS[refusalOf(answer).code];
  return answer.status === 'ok' ? 200 : 202;
}

/** The answer of a rule that matched but could not be turned into a message. */
export function refusedAnswer(id: string, correlationId: string, refusal: Refusal): Answer {
  const { code, suggestions } = refusal;
  return {
    id,
    status: 'error',
    reply: { text: refusal.message },
    correlationId,
    error: { code, suggestions },
  };
}
