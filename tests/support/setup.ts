import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';

/**
 * Runs around every test file. Vitest itself fails a run with an unhandled rejection; this fails a file that leaves a
 * listening server or a child process behind, because the next reader would look for the leak in the wrong place.
 */
const LEAKS = new Set(['TCPServerWrap', 'PipeServerWrap', 'ProcessWrap']);
const TURNS = 1_000;

const leaks = (): string[] => process.getActiveResourcesInfo().filter((resource) => LEAKS.has(resource));
const before = leaks().length;

// Registered first, so it runs last, after the file's own hooks. A close that was asked for may take some turns.
afterAll(async () => {
  for (let n = 0; n < TURNS && leaks().length > before; n++) await turn();
  expect(leaks().slice(before), 'left open after the last test of this file').toEqual([]);
});
