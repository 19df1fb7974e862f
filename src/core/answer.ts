import type { Refusal } from '../domain/errors.ts';
import type { Answer } from './message.ts';

/** A refusal as the answer to a message; `invocation` where the text could be read. */
export function refusalAnswer(
  id: string,
  correlationId: string,
  refusal: Refusal,
  invocation?: Answer['invocation'],
): Answer {
  const { code, suggestions, retryAfter, argument, message: text } = refusal;
  return {
    id,
    status: 'error',
    ...(invocation && { invocation }),
    reply: { text },
    correlationId,
    error: {
      code,
      ...(suggestions.length > 0 && { suggestions }),
      ...(retryAfter !== undefined && { retryAfter }),
      ...(argument && { argument }),
    },
  };
}

/** Suggestions belong to the text where the channel carries nothing but text. */
export function withHints(answer: Answer): Answer['reply'] {
  const hints = answer.error?.suggestions ?? [];
  return hints.length === 0
    ? answer.reply
    : { ...answer.reply, text: `${answer.reply.text}\n${hints.join('\n')}` };
}
