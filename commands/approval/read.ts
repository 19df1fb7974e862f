import { z } from 'zod';
import { approvalCard, approvalText, requestActions } from '../../src/core/approval-cards.ts';
import { command, type Ctx } from '../../src/core/command.ts';
import { approvals, isApprover, votes, type ApprovalRow, type VoteRow } from '../../src/domain/approval.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { may } from '../../src/domain/permission.ts';
import { limit, ref } from '../shared/fields.ts';
import { approvalLine, approvalView } from './view.ts';

export const approvalList = command({
  name: 'approval.list',
  summary: 'List requests for approval, those that wait first to expire.',
  args: z.object({
    state: z
      .enum(['pending', 'approved', 'denied', 'expired', 'cancelled'])
      .default('pending')
      .describe('Which; those that wait unless told'),
    limit: limit(200, 20),
  }),
  needs: 'approval:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/approvals' },
  examples: [{ text: 'approval list', json: { command: 'approval.list', args: {} } }],
  async run(ctx, { state, limit: most }) {
    const rows = await ctx.tx.find(approvals, {
      where: { state },
      orderBy: [{ column: 'expiresAt' }],
      limit: most,
    });
    return {
      text: rows.length === 0 ? `Nothing is ${state}.` : rows.map(approvalLine).join('\n'),
      data: { items: rows.map((row) => approvalView(row)) },
    };
  },
});

export const approvalShow = command({
  name: 'approval.show',
  summary: 'Show exactly what is to be approved, and the votes so far.',
  args: z.object({ id: ref('The request') }),
  positional: ['id'],
  needs: 'approval:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/approvals/{id}' },
  examples: [{ text: 'approval show APR-1', json: { command: 'approval.show', args: { id: 'APR-1' } } }],
  async run(ctx, { id }) {
    const row = await ctx.tx.get(approvals, { ref: id });
    if (!row) throw new Refusal('not_found', `There is no approval ${id}.`);
    const cast = await ctx.tx.find(votes, { where: { approval: id }, orderBy: [{ column: 'at' }] });
    const lines = cast.map(
      (v) => `${v.voter}: ${v.decision}${v.reason ? ` (${v.reason})` : ''} by ${v.channel}`,
    );
    return {
      text: [approvalLine(row), approvalText(ctx, row), ...lines].join('\n'),
      data: approvalView(row, cast),
      card: approvalCard(ctx, row, cast, { said: lines.join('\n') }),
      ...(canVote(ctx, row, cast) && {
        approval: id,
        actions: requestActions(ctx, row).filter((action) => action.style),
      }),
    };
  },
});

/** By mail a vote takes the token of the request's own mail, so it is not offered in another one. */
const canVote = ({ who, channel, now }: Ctx, row: ApprovalRow, cast: readonly VoteRow[]): boolean =>
  row.state === 'pending' &&
  now < row.expiresAt &&
  channel !== 'email' &&
  !row.chain.includes(who.name) &&
  !cast.some(({ voter }) => voter === who.name) &&
  isApprover(row.policy, who) &&
  may(who, 'approval:decide');
