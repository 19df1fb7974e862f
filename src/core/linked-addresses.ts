import { identities } from '../domain/principal.ts';
import type { Row } from '../domain/table.ts';
import type { Address } from './message.ts';
import type { ReadTx } from './store.ts';

/** Channels on which somebody can be told unasked, in the order in which people are told. */
export const TOLD_ON = ['slack', 'email'] as const;
export type ToldOn = (typeof TOLD_ON)[number];
/** More people than a workspace has; nobody who is to be told is left out. */
export const EVERYBODY = 100_000;

/** Where somebody can be told something in private, and whose address it is. */
interface Linked extends Pick<Row<typeof identities>, 'principal' | 'subject'> {
  readonly address: Address & { readonly channel: ToldOn };
}

/** Each linked Slack user and mail address of these people, in the order in which they were linked. */
export async function linkedTo(tx: ReadTx, people: readonly string[]): Promise<Linked[]> {
  const linked = await tx.find(identities, {
    where: { principal: { in: people }, channel: { in: [...TOLD_ON] } },
    orderBy: [{ column: 'id' }],
    limit: EVERYBODY,
  });
  return linked.map(({ principal, channel, subject }) => ({
    principal,
    subject,
    address:
      channel === 'slack' ? { channel, to: userOf(subject) } : { channel: 'email' as const, to: subject },
  }));
}

/** The same as addresses alone, Slack first. */
export async function linkedAddresses(tx: ReadTx, people: readonly string[]): Promise<Address[]> {
  const linked = (await linkedTo(tx, people)).map(({ address }) => address);
  return TOLD_ON.flatMap((channel) => linked.filter((address) => address.channel === channel));
}

/** A Slack subject is TEAM/USER; a message to the user id opens the direct conversation. */
const userOf = (subject: string): string => subject.slice(subject.indexOf('/') + 1);
