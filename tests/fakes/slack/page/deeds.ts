import { z } from 'zod';
import { elementAt, type Clicked, type PostedMessage } from '../messages.ts';
import { asCommand, asMarkup } from './markup.ts';
import type { Outcome, PageMessage, PageWorld, Spot } from './world.ts';

const id = z.string().min(1).max(255);
const line = z.string().trim().min(1, 'Nothing was typed.').max(40_000);
const as = z.string().regex(/^U[A-Z0-9]+$/);
const values = z.record(z.string(), z.union([z.string(), z.array(z.string())]));
const message = { channel: id, ts: id };

/** What a person does at the page: the body of POST /ui/do. */
export const deed = z.discriminatedUnion('what', [
  z.object({ what: z.literal('command'), as, channel: id, text: line }),
  z.object({ what: z.literal('message'), as, channel: id, text: line, thread: id.optional() }),
  z.object({ what: z.literal('edit'), as, text: line, ...message }),
  z.object({ what: z.literal('delete'), as, ...message }),
  z.object({
    what: z.literal('click'),
    as,
    on: z.union([z.object(message), z.enum(['home', 'modal'])]),
    block: id,
    action: id,
    option: z.string().optional(),
    values: values.optional(),
  }),
  z.object({ what: z.literal('home'), as }),
  z.object({
    what: z.literal('submit'),
    as,
    values,
  }),
  z.object({ what: z.literal('close'), as }),
  z.object({ what: z.literal('shortcut'), as, callback: id, ...message }),
]);
export type Deed = z.infer<typeof deed>;

/** A deed that the page itself turns down, in words for the person. */
export class Unable extends Error {}

/**
 * Does it in the fake.
 * @returns how the app took it.
 * @throws Unable, or what the fake throws: a value that fits no element, an app that cannot be reached.
 */
export async function perform(world: PageWorld, done: Deed): Promise<Outcome> {
  switch (done.what) {
    case 'command':
      return world.slashCommand(...command(world, done));
    case 'message':
      return speak(world, done);
    case 'edit':
      return world.editMessage(own(world, done), asMarkup(done.text, world.botUser));
    case 'delete':
      return world.deleteMessage(own(world, done));
    case 'click':
      return click(world, done);
    case 'home':
      return world.openHome(done.as);
    case 'submit':
      return world.submitModal(done.as, done.values);
    case 'close':
      return world.closeModal(done.as);
    case 'shortcut': {
      const { channel, ts, text, user, thread_ts } = find(world, done);
      const place = thread_ts === undefined ? {} : { thread_ts };
      return world.messageShortcut(done.callback, { channel, ts, text, user, ...place }, done.as);
    }
  }
}

function command(
  world: PageWorld,
  done: Extract<Deed, { what: 'command' }>,
): Parameters<PageWorld['slashCommand']> {
  const typed = asCommand(done.text);
  if (typed?.command !== '/signalbox' && typed?.command !== '/sb')
    throw new Unable('The commands here are /signalbox and /sb.');
  const { text, command: name } = typed;
  return [asMarkup(text, world.botUser), { user: done.as, channel: done.channel, command: name }];
}

async function speak(
  world: PageWorld,
  { as: user, channel, text, thread }: Extract<Deed, { what: 'message' }>,
): Promise<Outcome> {
  const markup = asMarkup(text, world.botUser);
  const place = thread === undefined ? {} : { thread };
  if (channel === world.dmOf(user)) return world.directMessage(markup, { user, ...place });
  if (markup.includes(`<@${world.botUser}>`)) return world.event(markup, { user, channel, ...place });
  return world.say(markup, { user, channel, ...place });
}

function click(world: PageWorld, done: Extract<Deed, { what: 'click' }>): Promise<Outcome> {
  if (done.on === 'home')
    return world.clickInHome(done.as, clicked(world.state().homes[done.as]?.blocks ?? [], done));
  if (done.on === 'modal') {
    const top = world.state().modals[done.as]?.at(-1);
    return world.clickInModal(done.as, clicked(top?.blocks ?? [], done), done.values ?? {});
  }
  const shown = find(world, done.on);
  return world.clickButton(shown, clicked(shown.blocks, done), done.as);
}

function clicked(blocks: PostedMessage['blocks'], done: Extract<Deed, { what: 'click' }>): Clicked {
  const found = elementAt(blocks, done);
  if (found === undefined) throw new Unable('This button is gone.');
  return found;
}

/** What one wrote oneself can be changed. */
function own(world: PageWorld, done: Spot & { readonly as: string }): Spot {
  const { channel, ts, user } = find(world, done);
  if (user !== done.as) throw new Unable('Only your own messages can be changed.');
  return { channel, ts };
}

function find(world: PageWorld, wanted: Spot): PageMessage {
  const found = world
    .state()
    .messages.find(({ channel, ts }) => channel === wanted.channel && ts === wanted.ts);
  if (found === undefined) throw new Unable('This message is gone.');
  return found;
}
