import { approvalApprove, approvalCancel, approvalDecide, approvalDeny } from './decide.ts';
import { approvalList, approvalShow } from './read.ts';

export const approvalCommands = [
  approvalList,
  approvalShow,
  approvalApprove,
  approvalDeny,
  approvalDecide,
  approvalCancel,
] as const;
