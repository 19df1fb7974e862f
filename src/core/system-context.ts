import type { Principal } from '../domain/principal.ts';
import { Call } from './call.ts';
import type { Ctx } from './command.ts';
import { verified } from './message.ts';
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
  const from = verified({
    workspace: tx.workspace,
    channel: 'system',
    subject: 'system',
    assurance: 'local',
    scopes: [],
  });
  const message = { channel: 'terminal', from, body: { text: '' }, conversation: 'system' } as const;
  return new Call(services, tx, message, tx.id(), correlationId).context(SYSTEM, undefined, cause);
}
