import { identities } from '../domain/principal.ts';
import type { Address } from './message.ts';
import type { ReadTx } from './store.ts';

/** Channels on which somebody can be told unasked, in the order in which people are told. */
const TOLD_ON = ['slack', 'email'] as const;
/** More people than a workspace has. */
export const EVERYBODY = 100_000;

/** Where these people can be told something in private: each linked Slack user and mail address, Slack first. */
export async function linkedAddresses(tx: ReadTx, people: readonly string[]): Promise<Address[]> {
  const linked = await tx.find(identities, {
    where: { principal: { in: people }, channel: { in: [...TOLD_ON] } },
    orderBy: [{ column: 'id' }],
    limit: EVERYBODY,
  });
  return TOLD_ON.flatMap((channel) =>
    linked
      .filter((each) => each.channel === channel)
      // A Slack subject is TEAM/USER; a message to the user id opens the direct conversation.
      .map(({ subject }) => ({ channel, to: channel === 'slack' ? userOf(subject) : subject })),
  );
}

const userOf = (subject: string): string => subject.slice(subject.indexOf('/') + 1);
