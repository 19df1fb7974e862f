import { SECOND } from '../domain/clock.ts';

/** Milliseconds after a deadline in which what is stopped then may end, and be written down. */
const LAST = 4 * SECOND;

/** Aborts when nothing is waited for any more, since a database that does not answer must not hold up the end. */
export function lastMoment(deadline: AbortSignal): AbortSignal {
  const last = new AbortController();
  const begin = () => void setTimeout(() => last.abort(), LAST).unref();
  if (deadline.aborted) begin();
  else deadline.addEventListener('abort', begin, { once: true });
  return last.signal;
}

/** Resolves when all have ended, or been given up; `failed` is told of those that did not end well. Never rejects. */
export async function settled(
  steps: readonly Promise<unknown>[],
  last: AbortSignal,
  failed: (error: unknown) => void,
): Promise<void> {
  const { promise: over, resolve: giveUp } = Promise.withResolvers<void>();
  last.addEventListener('abort', () => giveUp(), { once: true });
  if (last.aborted) giveUp();
  await Promise.all(
    steps.map(async (step) => {
      let ended = false;
      const watched = step.catch(failed).finally(() => (ended = true));
      await Promise.race([watched, over]);
      if (!ended) failed(new Error('it was given up'));
    }),
  );
}
