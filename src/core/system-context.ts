import type { Principal } from '../domain/principal.ts';
import { Call } from './call.ts';
import type { Ctx } from './command.ts';
import { verified, type Address } from './message.ts';
import type { Services } from './services.ts';
import type { Tx } from './store.ts';

/** Signalbox itself, where time and not a message makes something happen. It holds no permission of its own. */
const SYSTEM: Principal = {
  name: 'system',
  kind: 'agent',
  display: 'Signalbox',
  roles: [],
  permissions: [],
  scopes: [],
};

/** A context for what happens by itself, such as a request that expires. */
export function systemContext(services: Services, tx: Tx, correlationId: string, cause: string): Ctx {
  return contextOf(services, tx, SYSTEM, { correlationId, cause, replyTo: undefined });
}

/** A context for what goes on in somebody's name after the message that it began with. */
export function contextOf(
  services: Services,
  tx: Tx,
  who: Principal,
  { correlationId, cause, replyTo }: Pick<Ctx, 'correlationId' | 'cause' | 'replyTo'>,
): Ctx {
  const from = verified({
    workspace: tx.workspace,
    channel: 'system',
    subject: 'system',
    assurance: 'local',
    scopes: [],
  });
  const message = {
    channel: 'system',
    from,
    body: { text: '' },
    conversation: 'system',
    ...(replyTo && { replyTo }),
  } as const;
  return new Call(services, tx, message, tx.id(), correlationId).context(who, undefined, cause);
}

/** What makes a command run by itself. */
export interface Trigger {
  /** The schedule's id: SCH-3. */
  readonly ref: string;
  /** What the key that wrote it down was narrowed to. */
  readonly scopes: readonly string[];
  /** What had it written. */
  readonly causes: readonly string[];
  readonly correlationId: string;
  /** The id of the journal entry that tells of it. */
  readonly cause: string;
  readonly replyTo: Address | undefined;
}

/** The way of a command that somebody wrote down to run by itself; whoever executes it says as whom. */
export function scheduledCall(services: Services, tx: Tx, trigger: Trigger): Call {
  const { ref, scopes, causes, correlationId, cause, replyTo } = trigger;
  const from = verified({
    workspace: tx.workspace,
    channel: 'schedule',
    subject: ref,
    assurance: 'local',
    scopes,
  });
  const message = {
    channel: 'schedule',
    from,
    body: { text: '' },
    conversation: `schedule:${ref}`,
    cause,
    causes: [...causes, ref],
    ...(replyTo && { origin: replyTo }),
  } as const;
  return new Call(services, tx, message, tx.id(), correlationId);
}
