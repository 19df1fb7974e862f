import { int, maybe, table, text, time, type Row } from './table.ts';

/** What a job made: edited until somebody accepts it, then immutable. */
export const artifacts = table('artifacts', {
  ref: text(), // ART-3
  job: maybe(text()), // jobs.ref
  name: text(),
  kind: text<'text' | 'json' | 'file'>(),
  mediaType: text(),
  /** Text, JSON text, or base64 of a file. */
  content: text(),
  /** Bytes of what it stands for, and their SHA-256. */
  size: int(),
  sha256: text(),
  state: text<'draft' | 'accepted' | 'rejected'>(),
  createdBy: text(),
  createdAt: time(),
  updatedBy: text(),
  updatedAt: time(),
  decidedBy: maybe(text()),
  decidedAt: maybe(time()),
});

export type ArtifactRow = Row<typeof artifacts>;
