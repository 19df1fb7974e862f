import { clip } from '../../domain/clip.ts';
import { isOver, progressText, type JobRow, type Progress } from '../../domain/job.ts';
import type { Card, Fact } from '../message.ts';

/** Signs of a bar. */
const BAR = 10;
/** Characters of a line of the log, so that no line pushes a later one out of a message. */
const LINE = 300;
/** Characters of the lines on a card. What a channel has to escape counts as five (`&amp;`). */
const LINES = 6_000;

/** How a job stands, laid out: `log` are the lines that it wrote last, `said` is what else there is to tell. */
export function jobCard(row: JobRow, log: readonly string[], said: string): Card {
  const { ref, runbook, state, phase, progress, startedAt, endedAt } = row;
  const standing = phase === 'compensating' && !isOver(state) ? `${state}, being undone` : state;
  const facts: readonly (Fact | false)[] = [
    startedAt !== null && { label: 'Started', at: startedAt.toISOString() },
    isOver(state) && endedAt !== null && { label: 'Ended', at: endedAt.toISOString() },
  ];
  const body = [state === 'running' && progress ? progressLine(progress) : '', said];
  const { exact } = lastLines(log);
  return {
    title: `${ref} · ${runbook} · ${standing}`,
    facts: facts.filter((fact) => fact !== false),
    body: body.filter(Boolean).join('\n'),
    ...(exact !== '' && { exact }),
  };
}

/** `▓▓▓▓░░░░░░ 40 % Building the image`. */
function progressLine(progress: Progress): string {
  const { percent } = progress;
  if (percent === undefined) return progressText(progress);
  const full = Math.floor((percent * BAR) / 100);
  return `${'▓'.repeat(full)}${'░'.repeat(BAR - full)} ${progressText(progress)}`;
}

/** The end of a log, laid out. */
export function logCard(ref: string, log: readonly string[]): Card {
  const { exact, count } = lastLines(log);
  const short =
    count === log.length ? '' : `The last ${count} of ${log.length} lines; to see others: job logs ${ref}`;
  return { title: `${ref} · log`, exact, ...(short !== '' && { body: short }) };
}

/** The last of these lines that fit, each cut off where it is long: it is the end of a log that is looked for. */
function lastLines(log: readonly string[]): { exact: string; count: number } {
  const shown: string[] = [];
  let room = LINES;
  for (const line of log.toReversed()) {
    const short = clip(line, LINE);
    room -= short.length + 1 + 4 * (short.match(/[&<>"\\]/g)?.length ?? 0);
    if (room < 0) break;
    shown.unshift(short);
  }
  return { exact: shown.join('\n'), count: shown.length };
}
