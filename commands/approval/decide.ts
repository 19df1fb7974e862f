import { z } from 'zod';
import { castVote, settle, type CastVote } from '../../src/core/approvals.ts';
import { command, type Ctx } from '../../src/core/command.ts';
import type { Reply } from '../../src/core/message.ts';
import { approvals, partsOf, votes } from '../../src/domain/approval.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { line, ref } from '../shared/fields.ts';
import { approvalView } from './view.ts';

const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .optional()
  .describe('The digest you were shown; the vote counts for nothing else');
/** In a form there are several lines to write it in; it is told in one. */
const reason = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .transform((text) => text.replace(/\s+/g, ' '))
  .pipe(line('Why', 500))
  .meta({ multiline: true })
  .describe('Why')
  .optional();

async function vote(ctx: Ctx, cast: CastVote): Promise<Reply> {
  const { row, released } = await castVote(ctx, cast);
  const said = cast.decision === 'approve' ? 'approved' : 'denied';
  const more =
    row.state === 'pending'
      ? `${row.ref}: your vote counts; it needs ${partsOf(row.policy)
          .map((part) => part.quorum)
          .join(' and ')} in all.`
      : `${row.ref} is ${row.state}.`;
  const text = released ? `You ${said} ${row.ref}. ${released.reply.text}` : more;
  const standing = await ctx.tx.find(votes, { where: { approval: row.ref }, orderBy: [{ column: 'at' }] });
  return { text, data: approvalView(row, standing) };
}

export const approvalApprove = command({
  name: 'approval.approve',
  aliases: ['approve'],
  summary: 'Approve a request. It runs once enough different persons have.',
  args: z.object({ approval: ref('The request'), reason, digest }),
  positional: ['approval'],
  needs: 'approval:decide',
  risk: 'write',
  examples: [{ text: 'approve APR-1', json: { command: 'approval.approve', args: { approval: 'APR-1' } } }],
  run: (ctx, { approval, reason: why, digest: seen }) =>
    vote(ctx, { approval, decision: 'approve', reason: why, digest: seen }),
});

export const approvalDeny = command({
  name: 'approval.deny',
  aliases: ['deny'],
  summary: 'Deny a request, with the reason.',
  args: z.object({ approval: ref('The request'), reason, digest }),
  positional: ['approval'],
  needs: 'approval:decide',
  risk: 'write',
  examples: [
    {
      text: 'deny APR-2 --reason "not on a Friday"',
      json: { command: 'approval.deny', args: { approval: 'APR-2', reason: 'not on a Friday' } },
    },
  ],
  run: (ctx, { approval, reason: why, digest: seen }) =>
    vote(ctx, { approval, decision: 'deny', reason: why, digest: seen }),
});

export const approvalDecide = command({
  name: 'approval.decide',
  summary: 'Vote on a request: what approve and deny do, as one call.',
  args: z.object({
    id: ref('The request'),
    decision: z.enum(['approve', 'deny']).describe('The vote'),
    reason,
    digest,
  }),
  positional: ['id', 'decision'],
  needs: 'approval:decide',
  risk: 'write',
  route: { method: 'post', path: '/v1/approvals/{id}/decision' },
  examples: [
    {
      text: 'approval decide APR-3 approve',
      json: { command: 'approval.decide', args: { id: 'APR-3', decision: 'approve' } },
    },
  ],
  run: (ctx, { id, decision, reason: why, digest: seen }) =>
    vote(ctx, { approval: id, decision, reason: why, digest: seen }),
});

export const approvalCancel = command({
  name: 'approval.cancel',
  summary: 'Take back a request that you made; what waits for it is cancelled.',
  args: z.object({ id: ref('The request') }),
  positional: ['id'],
  needs: 'approval:read',
  risk: 'write',
  examples: [{ text: 'approval cancel APR-4', json: { command: 'approval.cancel', args: { id: 'APR-4' } } }],
  async run(ctx, { id }) {
    const row = await ctx.tx.get(approvals, { ref: id });
    if (!row) throw new Refusal('not_found', `There is no approval ${id}.`);
    if (row.requester !== ctx.who.name)
      throw new Refusal(
        'forbidden',
        `${row.requester} asked for ${id}, so only ${row.requester} may take it back.`,
      );
    if (row.state !== 'pending') throw new Refusal('conflict', `${id} is already ${row.state}.`);
    const settled = await settle(ctx, row, 'cancelled', `taken back by ${ctx.who.name}`);
    return { text: `${id} is cancelled.`, data: approvalView(settled.row) };
  },
});
