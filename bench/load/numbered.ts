/** What is put into the text of a request: `$n`, its number; `$task`, the number of a task; `$state`, where that goes next. */
export interface Numbering {
  /** Of the first request; so that no two measurements send the same key. */
  readonly first: number;
  /** How many tasks there are, `TSK-1` on, all queued at request 0. */
  readonly tasks?: number;
}

/** Every task comes once before any comes again, in no order that a cache would like. */
export function numbered(text: string, n: number, { tasks = 1 }: Numbering): string {
  const state = Math.floor(n / tasks) % 2 === 0 ? 'claimed' : 'queued';
  return text
    .replaceAll('$n', String(n))
    .replaceAll('$task', String(((n * 7_919) % tasks) + 1))
    .replaceAll('$state', state);
}
