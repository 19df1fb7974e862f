import { z } from 'zod';
import type { Chatter } from './chatter.ts';
import { asCommand, asMarkup } from './markup.ts';
import type { Outcome, PageMessage, PageWorld } from './world.ts';

const id = z.string().min(1).max(255);
const line = z.string().trim().min(1, 'Nothing was typed.').max(40_000);
const as = z.string().regex(/^U[A-Z0-9]+$/);
const message = { channel: id, ts: id };

/** What a person does at the page: the body of POST /ui/do. */
export const deed = z.discriminatedUnion('what', [
  z.object({ what: z.literal('command'), as, channel: id, text: line }),
  z.object({ what: z.literal('message'), as, channel: id, text: line, thread: id.optional() }),
  z.object({ what: z.literal('click'), as, action: id, on: z.union([z.object(message), z.literal('home')]) }),
  z.object({ what: z.literal('home'), as }),
  z.object({
    what: z.literal('submit'),
    as,
    values: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  }),
  z.object({ what: z.literal('close'), as }),
  z.object({ what: z.literal('shortcut'), as, callback: id, ...message }),
]);
export type Deed = z.infer<typeof deed>;

/** A deed that the page itself turns down, in words for the person. */
export class Unable extends Error {}

/**
 * Does it in the fake.
 * @returns how the app took it; undefined where there was nothing to deliver.
 * @throws Unable, or what the fake throws: a value that fits no element, an app that cannot be reached.
 */
export async function perform(world: PageWorld, chatter: Chatter, done: Deed): Promise<Outcome | undefined> {
  switch (done.what) {
    case 'command':
      return world.slashCommand(...command(world, done));
    case 'message':
      return speak(world, chatter, done);
    case 'click':
      if (done.on === 'home') return world.clickInHome(done.as, done.action);
      return world.clickButton(find(world, chatter, done.on), done.action, done.as);
    case 'home':
      return world.openHome(done.as);
    case 'submit':
      return world.submitModal(done.as, done.values);
    case 'close':
      await world.closeModal(done.as);
      return undefined;
    case 'shortcut': {
      const { channel, ts, text, user, thread_ts } = find(world, chatter, done);
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
  chatter: Chatter,
  { as: user, channel, text, thread }: Extract<Deed, { what: 'message' }>,
): Promise<Outcome | undefined> {
  const markup = asMarkup(text, world.botUser);
  const place = thread === undefined ? {} : { thread };
  if (channel === world.dmOf(user)) return world.directMessage(markup, { user, ...place });
  if (markup.includes(`<@${world.botUser}>`)) return world.event(markup, { user, channel, ...place });
  chatter.say({ channel, user, text: markup, thread_ts: thread });
  return undefined;
}

function find(world: PageWorld, chatter: Chatter, wanted: { channel: string; ts: string }): PageMessage {
  const all = [...world.state().messages, ...chatter.messages];
  const found = all.find(({ channel, ts }) => channel === wanted.channel && ts === wanted.ts);
  if (found === undefined) throw new Unable('This message is gone.');
  return found;
}
