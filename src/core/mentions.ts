import { Refusal } from '../domain/errors.ts';
import { identities } from '../domain/principal.ts';
import type { Reading } from './language.ts';
import { specOf } from './language/fields.ts';
import type { Body, Inbound } from './message.ts';
import type { Store } from './store.ts';

/** A body in which those who are linked are called by their name here, and by what the others are called in it. */
interface Named {
  readonly body: Body;
  /** What stands in the text → the identity that is linked to nobody. */
  readonly unlinked: ReadonlyMap<string, string>;
}

const NOBODY: ReadonlyMap<string, string> = new Map();

/** Puts the names of people (`@ana`) where the text means them by their id on its channel. Nobody is found by a name. */
export async function nameMentions(store: Store, { body, from, people }: Inbound): Promise<Named> {
  if (people === undefined || people.size === 0 || !('text' in body)) return { body, unlinked: NOBODY };
  const { workspace, channel } = from;
  const linked = await store.read(workspace, (tx) =>
    tx.find(identities, { where: { channel, subject: { in: [...new Set(people.values())] } } }),
  );
  const names = new Map(linked.map((row) => [row.subject, row.principal]));
  const unlinked = new Map<string, string>();
  let { text } = body;
  for (const [mention, subject] of people) {
    const name = names.get(subject);
    if (name === undefined) unlinked.set(mention, `${channel}:${subject}`);
    else text = text.replaceAll(mention, `@${name}`);
  }
  return { body: { text }, unlinked };
}

/**
 * Somebody who is linked to nobody may be written about, and cannot be the person that an argument asks for; nor in a command
 * among the arguments, which would fail only once it runs.
 * @param read reads such a command.
 * @throws Refusal `invalid_argument`, with how they become known.
 */
export async function refuseUnlinked(
  { command, invocation: { args } }: Reading,
  unlinked: Named['unlinked'],
  read: (body: Body) => Promise<Reading>,
): Promise<void> {
  if (unlinked.size === 0) return;
  const { fields, nested } = specOf(command);
  for (const { name } of nested) {
    const value = args[name];
    if (value === undefined || value === null) continue;
    // The language let it pass as one or the other.
    const body = typeof value === 'string' ? { text: value } : (value as unknown as Body);
    await refuseUnlinked(await read(body), unlinked, read);
  }
  for (const field of fields) {
    if ((field.item ?? field).kind !== 'principal') continue;
    for (const value of [args[field.name]].flat()) {
      if (typeof value !== 'string') continue;
      const identity = unlinked.get(value);
      if (identity === undefined) continue;
      throw new Refusal(
        'invalid_argument',
        `${field.name}: ${value} is linked to nobody here. They can send me \`link\`, or an administrator ties them: person link NAME ${identity}`,
      );
    }
  }
}
