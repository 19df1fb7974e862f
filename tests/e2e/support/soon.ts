import { vi } from 'vitest';

/** Waits for what comes by itself: a delivery, a job. A machine under load may take a while. */
export const soon = <T>(read: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(read, { timeout: 15_000, interval: 10 });
