import { clip } from '../domain/clip.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../domain/clock.ts';
import { outages, type OutageRow } from '../domain/outage.ts';
import { permits, type Permission } from '../domain/permission.ts';
import { principals, roles } from '../domain/principal.ts';
import { outbox } from '../domain/records.ts';
import { redactText } from '../domain/redact.ts';
import { EVERYBODY, linkedAddresses } from './linked-addresses.ts';
import type { Address, ChannelName } from './message.ts';
import { enqueue } from './outgoing.ts';
import type { ReadTx, Tx } from './store.ts';

/** Who holds it is told when a channel is deaf, and when it hears again. */
const WATCH: Permission = 'channel:watch';
/** Where the server's own terminal is told. */
const PROMPT: Address = { channel: 'terminal', to: 'prompt' };
const LONGEST_REASON = 300;

export interface Deafness {
  readonly channel: ChannelName;
  readonly reason: string;
  readonly since: Date;
  /** The process that noticed, by its name in leases. */
  readonly reporter: string;
}

/**
 * Keeps, journals and tells that a channel is deaf, on the channels of which `speaks` says that they can be used. To be
 * called where there is no row of it. @throws Refusal `conflict` when another process was quicker.
 */
export async function reportDeaf(
  tx: Tx,
  { channel, since, reporter, ...said }: Deafness,
  speaks: (channel: Address['channel']) => boolean,
): Promise<void> {
  const reason = clip(redactText(said.reason.replace(/\.$/, '')), LONGEST_REASON);
  const row = await tx.insert(outages, { id: channel, reporter, reason, since });
  await append(tx, row, 'channel.deaf', { reason, since: since.toISOString() });
  const text = `${channel} is deaf since ${clockTime(since)}: ${reason}. Commands sent there are not heard.`;
  for (const address of await watchers(tx))
    if (address.channel !== channel && speaks(address.channel))
      await enqueue(tx, { key: deafKey(row, address), address, reply: { text } });
}

/** Forgets the outage, and journals and tells that the channel hears: those who were told that it is deaf and watch still. */
export async function reportHearing(tx: Tx, row: OutageRow): Promise<void> {
  const lasted = Math.max(0, tx.now.getTime() - row.since.getTime());
  if ((await tx.remove(outages, { id: row.id })) === 0) return;
  await append(tx, row, 'channel.hears', { seconds: Math.round(lasted / SECOND) });
  const told = await tx.find(outbox, {
    where: { key: { prefix: `${nameOf(row)}:deaf:` } },
    limit: EVERYBODY,
  });
  const keys = new Set(told.map(({ key }) => key));
  const text = `${row.id} hears again after ${duration(lasted)}.`;
  for (const address of await watchers(tx))
    if (keys.has(deafKey(row, address)))
      await enqueue(tx, { key: key(row, 'hears', address), address, reply: { text } });
}

/** The private addresses of all who watch, and the prompt: whoever sits there could do anything. */
async function watchers(tx: ReadTx): Promise<Address[]> {
  const where = { kind: 'person', disabled: false } as const;
  const people = await tx.find(principals, { where, limit: EVERYBODY });
  const held = new Map(
    (await tx.find(roles, { limit: EVERYBODY })).map(({ name, permissions }) => [name, permissions]),
  );
  const watching = people.filter((person) =>
    permits(
      person.roles.flatMap((role) => held.get(role) ?? []),
      WATCH,
    ),
  );
  const linked = await linkedAddresses(
    tx,
    watching.map(({ name }) => name),
  );
  return [...linked, PROMPT];
}

/** Names this one outage, in keys of messages and as the correlation id of its entries. */
const nameOf = ({ id, since }: OutageRow): string => `channel:${id}:${since.getTime()}`;

const key = (row: OutageRow, what: 'deaf' | 'hears', { channel, to }: Address): string =>
  `${nameOf(row)}:${what}:${channel}:${to}`;
const deafKey = (row: OutageRow, address: Address): string => key(row, 'deaf', address);

async function append(
  tx: Tx,
  row: OutageRow,
  event: 'channel.deaf' | 'channel.hears',
  details: Readonly<Record<string, string | number>>,
): Promise<void> {
  const correlationId = nameOf(row);
  await tx.append({ event, actor: 'system', target: row.id, correlationId, cause: null, details });
}

/** `10:02 UTC`. */
const clockTime = (at: Date): string => `${at.toISOString().slice(11, 16)} UTC`;

/** `40 s`, `4 min`, `2 h 5 min`, `3 d 2 h`: the two greatest units, rounded down. */
function duration(milliseconds: number): string {
  if (milliseconds < MINUTE) return `${Math.floor(milliseconds / SECOND)} s`;
  const units = [
    ['d', Math.floor(milliseconds / DAY)],
    ['h', Math.floor((milliseconds % DAY) / HOUR)],
    ['min', Math.floor((milliseconds % HOUR) / MINUTE)],
  ] as const;
  const first = units.findIndex(([, n]) => n > 0);
  const shown = units.slice(first, first + 2).filter(([, n]) => n > 0);
  return shown.map(([unit, n]) => `${n} ${unit}`).join(' ');
}
