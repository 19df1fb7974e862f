import { SECOND } from '../domain/clock.ts';

/** Scrapes, however many, cost a look now and then. */
const SAMPLED_EVERY = 10 * SECOND;

/** The newest sample, at most ten seconds old; undefined while the database is away, which has its own alarm. */
export function sampled<T>(take: () => Promise<T>): () => Promise<T | undefined> {
  let sample: { readonly at: number; readonly of: Promise<T | undefined> } | undefined;
  return () => {
    const now = performance.now();
    if (!sample || now - sample.at > SAMPLED_EVERY) sample = { at: now, of: take().catch(() => undefined) };
    return sample.of;
  };
}
