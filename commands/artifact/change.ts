import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { artifacts, measure, type ArtifactRow } from '../../src/domain/artifact.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { body, line, ref } from '../shared/fields.ts';
import { checkHeld } from '../shared/held.ts';
import { artifactReply, artifactView, findArtifact } from './view.ts';

/** Characters: a file of the greatest size in base64. */
const MOST_CONTENT = 1_400_000;
/** Bytes, as JSON: each character of a text may be written as three or more. */
const MOST_BODY = 4 * 1024 * 1024;

export const artifactEdit = command({
  name: 'artifact.edit',
  summary: 'Replace the content of a draft.',
  args: z.object({
    id: ref('The artifact'),
    content: body('All of it from now on: text or JSON as it is, a file in base64', MOST_CONTENT),
  }),
  positional: ['id'],
  bulky: ['content'],
  needs: 'artifact:edit',
  risk: 'write',
  route: { method: 'patch', path: '/v1/artifacts/{id}', ifMatch: 'required', maxBody: MOST_BODY },
  examples: [
    {
      text: 'artifact edit ART-1 --content "A better text"',
      json: { command: 'artifact.edit', args: { id: 'ART-1', content: 'A better text' } },
    },
  ],
  async run(ctx, { id, content }) {
    const row = await draft(ctx, id, 'edited');
    const measured = measure(row.kind, content);
    const edited = await ctx.tx.update(artifacts, row, {
      ...measured,
      updatedBy: ctx.who.name,
      updatedAt: ctx.now,
    });
    const { ref: at, size, sha256 } = edited;
    await ctx.emit('artifact.edited', at, { job: row.job, size, sha256, from: row.sha256 });
    return artifactReply(`${at} has ${size} bytes now.`, edited);
  },
});

export const artifactAccept = command({
  name: 'artifact.accept',
  summary: 'Accept a draft: nothing changes it any more. Other variants stay as they are.',
  args: z.object({ id: ref('The artifact') }),
  positional: ['id'],
  needs: 'artifact:accept',
  risk: 'write',
  route: { method: 'post', path: '/v1/artifacts/{id}/accept' },
  examples: [{ text: 'artifact accept ART-1', json: { command: 'artifact.accept', args: { id: 'ART-1' } } }],
  run: async (ctx, { id }) => decide(ctx, await draft(ctx, id, 'accepted'), 'accepted', {}),
});

export const artifactReject = command({
  name: 'artifact.reject',
  summary: 'Reject a draft.',
  args: z.object({ id: ref('The artifact'), reason: line('Why', 500).optional() }),
  positional: ['id'],
  needs: 'artifact:accept',
  risk: 'write',
  route: { method: 'post', path: '/v1/artifacts/{id}/reject' },
  examples: [
    {
      text: 'artifact reject ART-1 --reason "too long"',
      json: { command: 'artifact.reject', args: { id: 'ART-1', reason: 'too long' } },
    },
  ],
  run: async (ctx, { id, reason = null }) =>
    decide(ctx, await draft(ctx, id, 'rejected'), 'rejected', { reason }),
});

/** The artifact, if it is a draft and still what the sender holds. @throws Refusal `conflict` or `stale`. */
async function draft(ctx: Ctx, id: string, to: string): Promise<ArtifactRow> {
  const row = await findArtifact(ctx, id);
  checkHeld(ctx, row.ref, artifactView(row));
  if (row.state === 'draft') return row;
  throw new Refusal('conflict', `${row.ref} was ${row.state} by ${row.decidedBy}, so it cannot be ${to}.`);
}

async function decide(
  ctx: Ctx,
  row: ArtifactRow,
  state: 'accepted' | 'rejected',
  more: { readonly reason?: string | null },
) {
  const decided = await ctx.tx.update(artifacts, row, { state, decidedBy: ctx.who.name, decidedAt: ctx.now });
  const { ref: at, job, name, size, sha256 } = decided;
  await ctx.emit(`artifact.${state}`, at, { job, name, size, sha256, ...more });
  return artifactReply(`${at} is ${state}.`, decided);
}
