import { DAY } from '../domain/clock.ts';
import { principals } from '../domain/principal.ts';
import { outbox, subscriptions } from '../domain/records.ts';
import { isNews } from './jobs/report-keys.ts';
import { linkedAddresses } from './linked-addresses.ts';
import type { Address, Reply } from './message.ts';
import { enqueue, type OutgoingRow } from './outgoing.ts';
import type { Tx } from './store.ts';

/** How the keys of these notices begin. */
const NOTICE = 'undelivered:';
/** Keys of the router: `sub:SUB-3:17`. */
const SUBSCRIBED = /^sub:(SUB-\d+):/;
/** A Slack user id. */
const USER = /^[UW][A-Z0-9]{1,30}$/;

/**
 * Tells whoever it concerns that a message was given up since its place is gone: the owner of a subscription, or the Slack
 * user who asked (`address.context.user`). Of a notice that is given up in its turn nobody is told.
 * @param message as it was while it was queued.
 */
export async function tellUndelivered(tx: Tx, message: OutgoingRow, error: string): Promise<void> {
  if (message.key.startsWith(NOTICE)) return;
  const ref = SUBSCRIBED.exec(message.key)?.[1];
  if (ref !== undefined) return tellSubscriber(tx, message, ref, wordOf(error));
  // The end is told as well; what a job was at on the way is not worth a message of its own.
  if (!isNews(message.key)) await tellAsker(tx, message, wordOf(error));
}

/** The far side's own word where the text ends with one (`is_archived`), else the text. */
export const wordOf = (error: string): string =>
  /: ([a-z]+(?:_[a-z]+)+)\.?$/.exec(error)?.[1] ?? error.replace(/\.$/, '');

/** At most once in a day, however many events go there. */
async function tellSubscriber(tx: Tx, message: OutgoingRow, ref: string, word: string): Promise<void> {
  const before = `${NOTICE}${ref}:`;
  const createdAt = { above: new Date(tx.now.getTime() - DAY) };
  if ((await tx.find(outbox, { where: { key: { prefix: before }, createdAt }, limit: 1 })).length > 0) return;
  const sub = await tx.get(subscriptions, { ref });
  const owner = sub && (await tx.get(principals, { name: sub.principal }));
  if (!owner || owner.disabled) return;
  const { channel, to } = message.address as Address;
  const invite = channel === 'slack' ? 'Invite the bot there or subscribe' : 'Subscribe';
  const text =
    `${ref} cannot be told on ${channel}:${to}: ${word}. ` +
    `${invite} elsewhere; unsubscribe ${ref} ends it.`;
  for (const address of await privately(tx, owner.name, { channel, to }))
    await enqueue(tx, {
      key: `${before}${message.id}:${address.channel}:${address.to}`,
      address,
      reply: { text },
    });
}

/** Somebody's other addresses: those of the same channel, which has just answered; where there are none, the rest. */
async function privately(tx: Tx, name: string, dead: Address): Promise<readonly Address[]> {
  const others = (await linkedAddresses(tx, [name])).filter(
    ({ channel, to }) => channel !== dead.channel || to.toLowerCase() !== dead.to.toLowerCase(),
  );
  const near = others.filter(({ channel }) => channel === dead.channel);
  return near.length > 0 ? near : others;
}

/** What could not be said in a Slack channel is said to whoever asked, and to nobody else. */
async function tellAsker(tx: Tx, message: OutgoingRow, word: string): Promise<void> {
  const { channel, to, context } = message.address as Address;
  const user = context?.['user'];
  if (channel !== 'slack' || typeof user !== 'string' || !USER.test(user) || user === to) return;
  const { reply } = message.reply as { reply: Reply };
  const { card: _, approval, actions, ...inWords } = reply;
  await enqueue(tx, {
    key: `${NOTICE}${message.id}`,
    address: { channel, to: user },
    // In words, which say it all: a card would say nothing of where it could not stand.
    reply: {
      ...inWords,
      // A request is decided where it is shown letter by letter.
      ...(actions && approval === undefined && { actions }),
      text: `I cannot post in that channel (${word}):\n${reply.text}`,
    },
  });
}
