import { maybe, table, text, time, type Row } from './table.ts';

/** Channels that were reported deaf and have not been heard again since; the id is the channel. */
export const outages = table('outages', {
  /** The process that says when it hears again, by its name in leases; null once it cannot tell any more. */
  reporter: maybe(text()),
  reason: text(),
  since: time(),
});

export type OutageRow = Row<typeof outages>;
