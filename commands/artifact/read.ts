import { z } from 'zod';
import { command, type FileData } from '../../src/core/command.ts';
import { ARTIFACT_STATES, artifacts, type ArtifactRow } from '../../src/domain/artifact.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { limit, ref } from '../shared/fields.ts';
import { artifactLine, artifactReply, artifactView, findArtifact } from './view.ts';

/** Characters of a content that `show` begins with. */
const BEGINNING = 2_000;
/** Characters of a content that go into a message; REST hands out any. */
const MOST_IN_MESSAGE = 100_000;

export const artifactList = command({
  name: 'artifact.list',
  summary: 'List what jobs made, the newest first.',
  args: z.object({
    job: ref('Only what this job made: the variants to choose from').optional(),
    state: z.enum(ARTIFACT_STATES).optional().describe('Only those in this state'),
    limit: limit(50, 20),
    before: ref('Only artifacts older than this one').optional(),
  }),
  needs: 'artifact:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/artifacts' },
  examples: [
    { text: 'artifact list', json: { command: 'artifact.list', args: {} } },
    {
      text: 'artifact list --job JOB-1 --state draft',
      json: { command: 'artifact.list', args: { job: 'JOB-1', state: 'draft' } },
    },
  ],
  async run(ctx, { job, state, limit: most, before }) {
    const older = before === undefined ? undefined : await findArtifact(ctx, before);
    const rows = await ctx.tx.find(artifacts, {
      where: {
        ...(job !== undefined && { job }),
        ...(state !== undefined && { state }),
        ...(older && { id: { below: older.id } }),
      },
      orderBy: [{ column: 'id', descending: true }],
      limit: most,
    });
    const next = rows.length === most ? (rows.at(-1)?.ref ?? null) : null;
    const text = rows.length === 0 ? 'No such artifacts.' : rows.map(artifactLine).join('\n');
    return { text, data: { items: rows.map(artifactView), next } };
  },
});

export const artifactShow = command({
  name: 'artifact.show',
  summary: 'Show an artifact and how it begins.',
  args: z.object({ id: ref('The artifact') }),
  positional: ['id'],
  needs: 'artifact:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/artifacts/{id}' },
  examples: [{ text: 'artifact show ART-1', json: { command: 'artifact.show', args: { id: 'ART-1' } } }],
  async run(ctx, { id }) {
    const row = await findArtifact(ctx, id);
    const text = [artifactLine(row), `sha256 ${row.sha256}`, ...beginningOf(row)].join('\n');
    return artifactReply(text, row);
  },
});

function beginningOf({ kind, content }: ArtifactRow): string[] {
  if (kind === 'file') return [];
  return content.length <= BEGINNING ? [content] : [content.slice(0, BEGINNING).toWellFormed(), '…'];
}

export const artifactExport = command({
  name: 'artifact.export',
  summary: 'Give the whole content of an artifact.',
  args: z.object({ id: ref('The artifact') }),
  positional: ['id'],
  needs: 'artifact:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/artifacts/{id}/content', sends: 'file' },
  examples: [{ text: 'artifact export ART-1', json: { command: 'artifact.export', args: { id: 'ART-1' } } }],
  async run(ctx, { id }) {
    const row = await findArtifact(ctx, id);
    const { ref: at, name, kind, mediaType, content, sha256 } = row;
    if (ctx.channel !== 'rest' && content.length > MOST_IN_MESSAGE)
      throw new Refusal(
        'too_large',
        `${at} is too long for a message; read it from GET /v1/artifacts/${at}/content.`,
      );
    const encoding = kind === 'file' ? 'base64' : 'utf8';
    const data = { id: at, name, mediaType, encoding, content, sha256 } satisfies FileData & { id: string };
    const elsewhere = `${artifactLine(row)}\nA file is no text to show: GET /v1/artifacts/${at}/content sends it.`;
    return { text: kind === 'file' ? elsewhere : content, data };
  },
});
