import { setTimeout } from 'node:timers/promises';
import type { Statement } from 'better-sqlite3';
import { isBusy } from './storage-errors.ts';

/** Milliseconds between tries to take a lock that another process holds. */
const RETRY = 10;

/**
 * Begins a write transaction; waits for another process's lock without holding the event loop up, as SQLite's own
 * waiting would. @throws SqliteError when it cannot be had within so many milliseconds.
 */
export async function takeWriteLock(begin: Statement, within: number): Promise<void> {
  const until = performance.now() + within;
  for (;;) {
    try {
      begin.run();
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
    }
    await setTimeout(RETRY);
  }
}
