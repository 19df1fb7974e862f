import { jobLogs, type LogStream } from '../../domain/job.ts';
import { redactText } from '../../domain/redact.ts';
import type { Tx } from '../store.ts';

/** A line of a job's log. */
export interface Line {
  readonly stream: LogStream;
  readonly line: string;
  readonly at: Date;
}

const digits = (number: number, width: number): string => String(number).padStart(width, '0');

/** Adds lines to a job's log, without secrets. Their ids rise over all logs of the workspace, their cursors over the job's. */
export async function addLines(tx: Tx, job: string, lines: readonly Line[]): Promise<void> {
  if (lines.length === 0) return;
  const [last] = await tx.find(jobLogs, {
    where: { job },
    orderBy: [{ column: 'cursor', descending: true }],
    limit: 1,
  });
  const before = last?.cursor ?? 0;
  const batch = digits(await tx.next('log'), 15);
  for (const [index, { stream, line, at }] of lines.entries()) {
    const cursor = before + index + 1;
    await tx.insert(jobLogs, {
      id: `${batch}-${digits(index, 6)}`,
      job,
      cursor,
      stream,
      line: redactText(line),
      at,
    });
  }
}
