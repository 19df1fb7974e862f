import { isDeepStrictEqual } from 'node:util';
import { clip } from '../../domain/clip.ts';
import { jobs, progressText, type JobRow, type Progress } from '../../domain/job.ts';
import { redactText } from '../../domain/redact.ts';
import type { Tx } from '../store.ts';
import { addLines } from './log.ts';

const LONGEST = 500;

/**
 * Writes how far a running job has come: in its row, and unless told otherwise as a line of its log (stream `progress`),
 * which is how whoever watches hears of it. The claim has been checked by the caller.
 */
export async function noteProgress(tx: Tx, row: JobRow, progress: Progress, isLine = true): Promise<JobRow> {
  const clean = cleaned(progress);
  if (isDeepStrictEqual(clean, row.progress)) return row;
  const noted = await tx.update(jobs, row, { progress: clean });
  if (isLine) await addLines(tx, row.ref, [{ stream: 'progress', line: progressText(clean), at: tx.now }]);
  return noted;
}

/** Within bounds, whatever a program said: 0 to 100, one line of text without secrets. */
function cleaned({ percent, text }: Progress): Progress {
  const line =
    text === undefined ? undefined : clip(redactText(text).replaceAll(/\s+/g, ' ').trim(), LONGEST);
  return {
    ...(percent !== undefined &&
      Number.isFinite(percent) && { percent: Math.min(100, Math.max(0, percent)) }),
    ...(line !== undefined && line !== '' && { text: line }),
  };
}
