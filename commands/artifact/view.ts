import type { Ctx } from '../../src/core/command.ts';
import type { Reply } from '../../src/core/message.ts';
import { artifacts, type ArtifactRow } from '../../src/domain/artifact.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { JsonObject } from '../../src/domain/json.ts';

/** The one JSON form of an artifact, so that the ETags of all commands agree; its content comes with `export`. */
export function artifactView(row: ArtifactRow): JsonObject {
  return {
    id: row.ref,
    version: row.version,
    job: row.job,
    name: row.name,
    kind: row.kind,
    mediaType: row.mediaType,
    size: row.size,
    sha256: row.sha256,
    state: row.state,
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
    updatedBy: row.updatedBy,
    updatedAt: row.updatedAt.toISOString(),
    decidedBy: row.decidedBy,
    decidedAt: row.decidedAt?.toISOString() ?? null,
  };
}

/** One line: `ART-3 [draft] notes.md · text/markdown · 812 bytes · JOB-3`. */
export function artifactLine({ ref, state, name, mediaType, size, job }: ArtifactRow): string {
  return [`${ref} [${state}] ${name}`, mediaType, `${size} bytes`, job].filter(Boolean).join(' · ');
}

export const artifactReply = (text: string, row: ArtifactRow): Reply => ({ text, data: artifactView(row) });

/** @throws Refusal `not_found`. */
export async function findArtifact(ctx: Ctx, id: string): Promise<ArtifactRow> {
  const row = await ctx.tx.get(artifacts, { ref: id });
  if (!row) throw new Refusal('not_found', `There is no artifact ${id}.`);
  return row;
}
