import { Refusal } from '../../domain/errors.ts';
import { canonical, digest, type JsonObject } from '../../domain/json.ts';
import { requestApproval } from '../approvals.ts';
import type { JobRow } from '../../domain/job.ts';
import type { Address } from '../message.ts';
import type { Services } from '../services.ts';
import { contextOf } from '../system-context.ts';
import type { Ask } from './waiting.ts';

/** What an approval of a waiting step releases. */
export const CONTINUE = 'job.continue';
/** Characters of what the steps returned that an approver is shown; of more, its digest. */
const SHOWN = 1_500;

/**
 * Asks for the approval that a step waits for, in the name of whoever asked for the job: nobody in its chain of causes
 * may vote. The votes bind to the job as it was asked for, and to what its steps have returned so far.
 */
export function createAsk(services: Services): Ask {
  return async (tx, job, { step, policy, outputs }) => {
    const who = await services.directory.byName(tx, job.requester, job.scopes);
    if (!who)
      throw new Refusal('conflict', `${job.requester}, who asked for ${job.ref}, is no longer known here.`);
    const replyTo = (job.replyTo ?? undefined) as Address | undefined;
    const ctx = contextOf(services, tx, who, { correlationId: job.correlationId, cause: job.ref, replyTo });
    const invocation = {
      command: CONTINUE,
      args: {
        id: job.ref,
        step,
        runbook: job.runbook,
        args: job.args,
        outputs: shown(job, outputs),
        digest: job.digest,
      },
    };
    const command = services.commands.find(CONTINUE);
    if (!command) throw new TypeError(`there is no command ${CONTINUE}`);
    const { data } = await requestApproval(
      { ...ctx, chain: async () => job.chain },
      command,
      invocation.args,
      invocation,
      policy,
    );
    const { approval, expiresAt } = data as { approval: string; expiresAt: string };
    return { approval, until: new Date(expiresAt) };
  };
}

/** Of an event that a step waited for only where it stands: whoever may see the request need not be allowed to read it. */
function shown({ plan }: JobRow, outputs: JsonObject): JsonObject {
  const steps = plan?.executor.kind === 'steps' ? plan.executor.steps : [];
  const events = new Set(
    steps.flatMap((step) => ('wait' in step && step.wait.kind === 'event' ? [step.name] : [])),
  );
  const told = Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => [
      name,
      events.has(name) ? { seq: (output as JsonObject)['seq'] ?? null } : output,
    ]),
  );
  return canonical(told).length <= SHOWN ? told : { digest: digest(told) };
}
