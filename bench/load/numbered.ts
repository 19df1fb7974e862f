/** What is put into the text of a request: `$n`, its number; `$task`, the number of a task; `$state`, where that goes next. */
export interface Numbering {
  /** Of the first request; so that no two measurements send the same key. */
  readonly first: number;
  /** The tasks that are used, all queued at request 0. */
  readonly tasks?: { readonly from: number; readonly span: number };
}

const NONE = { from: 1, span: 1 };

/** Every task comes once before any comes again, in no order that a cache would like. */
export function numbered(text: string, n: number, { tasks: { from, span } = NONE }: Numbering): string {
  const state = Math.floor(n / span) % 2 === 0 ? 'claimed' : 'queued';
  return text
    .replaceAll('$n', String(n))
    .replaceAll('$task', String(from + ((n * 7_919) % span)))
    .replaceAll('$state', state);
}
