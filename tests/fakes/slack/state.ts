import type { PostedMessage } from './messages.ts';
import type { Views, SlackView } from './views.ts';
import type { Place, World } from './world.ts';

/** All that people see, as JSON. */
export interface FakeState {
  readonly team: { readonly id: string; readonly name: string };
  readonly users: readonly { readonly id: string; readonly name: string; readonly isBot: boolean }[];
  readonly channels: readonly Place[];
  readonly messages: readonly PostedMessage[];
  readonly homes: Readonly<Record<string, SlackView>>;
  /** The undermost first. */
  readonly modals: Readonly<Record<string, readonly SlackView[]>>;
  /** By user and block_id. */
  readonly modalErrors: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A copy: what happens later does not change it. */
export function stateOf(teamId: string, world: World, views: Views): FakeState {
  return structuredClone({
    team: { id: teamId, name: 'Example' },
    users: world.users.map(({ id, name, isBot }) => ({ id, name, isBot })),
    channels: world.places(),
    messages: world.messages,
    homes: Object.fromEntries(views.homes),
    modals: Object.fromEntries([...views.modals].filter(([, stack]) => stack.length > 0)),
    modalErrors: Object.fromEntries(views.errors),
  });
}
