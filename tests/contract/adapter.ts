import { afterEach, beforeEach, describe, expect, test, vi, type TestContext } from 'vitest';
import type { Adapter } from '../../src/core/adapter.ts';
import type { ChannelName } from '../../src/core/message.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { outbox } from '../../src/domain/records.ts';
import { createWorld, PEOPLE, turns, type Ask, type Sender, type World } from './world.ts';

/** A channel under test. */
export interface Channel {
  /** The title, when one channel is run in several forms: `slack over HTTP, slash command`. */
  readonly title: string;
  readonly name: ChannelName;
  /** Why it cannot be tried on this machine, if so. */
  readonly skip?: string | undefined;
  /** Whether an answer comes back on the open call, or as a message of its own through the outbox. */
  readonly answers: 'in place' | 'by message';
  /** How a rate-limited sender is told to wait, in the channel's own form. */
  readonly toldToWait: RegExp;
  /** Whether senders are shown the correlation id of an answer. */
  readonly showsCorrelation: boolean;
  /** Whether one who speaks during a stop is refused at once; otherwise the message is left unheard. */
  readonly lateIs: 'refused' | 'unheard';
  /** What the channel cannot have, each with the reason. */
  readonly lacks?: Partial<Record<Duty, string>>;
  /** Webhook sources and identities that the channel's senders need. */
  readonly catalog?: Partial<Catalog>;
  /** Puts the channel on the pipeline; the suite starts it. */
  open(world: World): Promise<Line>;
}

export type Duty = 'again' | 'reuse' | 'forge' | 'stranger' | 'deafen';

/** The other end of the channel: what senders do and see. */
export interface Line {
  readonly adapter: Adapter;
  /** What senders were shown, in order, each as one text. */
  readonly shown: readonly string[];
  /** The identities that the channel proves, as the journal names them. */
  readonly identities: Partial<Record<Sender, string>>;
  /** Sends; the same key is the same message again. Resolves once the channel has taken or refused it. */
  say(from: Sender, ask: Ask, key?: string): Promise<void>;
  /** Sends as the member without the proof; resolves with all that the forger gets to see. */
  forge?(ask: Ask, key: string): Promise<string>;
  /** Takes the far side away. */
  deafen?(): Promise<void>;
  close(): Promise<void>;
}

const PATIENCE = { timeout: 10_000, interval: 10 };
const create = (title: string): Ask => ({ command: 'task.create', title });
const never = (): AbortSignal => new AbortController().signal;

/** What every channel must hold, on the real pipeline; run by a test file for each. */
export function adapterContract(channel: Channel): void {
  const { lacks = {} } = channel;
  /** Ends a test of what this channel cannot have, with the reason. */
  const need = ({ skip }: TestContext, duty: Duty): void => skip(lacks[duty] !== undefined, lacks[duty]);

  describe.skipIf(channel.skip !== undefined)(`adapter contract: ${channel.title}`, () => {
    let world: World;
    let line: Line;
    let recorded: number;
    beforeEach(() => open());
    afterEach(() => close());

    async function open(over: Partial<Catalog> = {}): Promise<void> {
      world = await createWorld({ ...channel.catalog, ...over });
      line = await channel.open(world);
    }
    async function close(): Promise<void> {
      const stopped = line.adapter.stop(AbortSignal.abort());
      await world.close();
      await stopped;
      await line.close();
    }
    async function begin(): Promise<void> {
      await line.adapter.start();
      await vi.waitFor(() => expect(line.adapter.health()).toEqual({ state: 'on' }), PATIENCE);
      world.deliverBy(line.adapter);
      recorded = (await world.harness.entries()).length;
    }
    const answered = (count: number) => vi.waitFor(() => expect(world.answers).toHaveLength(count), PATIENCE);
    /** What was shown, once it is that much. */
    const shown = async (count: number): Promise<readonly string[]> => {
      await vi.waitFor(() => expect(line.shown).toHaveLength(count), PATIENCE);
      return line.shown;
    };
    /** What was recorded since the channel began. */
    const journal = async () => (await world.harness.entries()).slice(recorded);
    /** How many answers were given to the outbox, sent or not. */
    const queued = () => world.harness.store.transaction(world.harness.workspace, (tx) => tx.count(outbox));
    const events = async () => (await journal()).map((entry) => entry.event);

    test('a command that it knows is run and answered', async () => {
      await begin();
      await line.say('member', create('Fix login'));
      expect((await shown(1))[0]).toMatch(/TSK-1\b.*Fix login/s);
      expect(await world.titles()).toEqual(['Fix login']);
      expect(await journal()).toMatchObject([
        {
          event: 'command.accepted',
          target: 'task.create',
          details: { channel: channel.name, identity: line.identities.member },
        },
        { event: 'task.created', target: 'TSK-1' },
      ]);
    });

    test('answer and journal carry one correlation id', async () => {
      await begin();
      await line.say('member', create('Fix login'));
      const [text = ''] = await shown(1);
      const id = world.answers[0]?.correlationId ?? '';
      expect(id).not.toBe('');
      expect((await journal()).map((entry) => entry.correlationId)).toEqual([id, id]);
      expect(text.includes(id)).toBe(channel.showsCorrelation);
    });

    test('the same message again gets the same answer and changes nothing', async (context) => {
      need(context, 'again');
      await begin();
      await line.say('member', create('Fix login'), 'k1');
      await shown(1);
      await line.say('member', create('Fix login'), 'k1');
      await answered(2);
      await expectOneEffect();
    });

    test('the same message twice at once is run once', async (context) => {
      need(context, 'again');
      await begin();
      const both = [1, 2].map(() => line.say('member', create('Fix login'), 'k1'));
      await Promise.all(both);
      await answered(2);
      await expectOneEffect();
    });

    async function expectOneEffect(): Promise<void> {
      const texts = await shown(channel.answers === 'in place' ? 2 : 1);
      expect(new Set(texts).size).toBe(1);
      expect(world.answers[1]).toEqual(world.answers[0]);
      expect(await world.titles()).toEqual(['Fix login']);
      expect(await events()).toEqual(['command.accepted', 'task.created']);
    }

    test('the same key with another content is refused', async (context) => {
      need(context, 'reuse');
      await begin();
      await line.say('member', create('Fix login'), 'k1');
      await line.say('member', create('Something else'), 'k1');
      expect((await shown(2))[1]).toMatch(/This key was used for another message/);
      expect(await world.titles()).toEqual(['Fix login']);
      expect(await events()).toEqual(['command.accepted', 'task.created']);
    });

    test('a forged message reaches nothing, leaves nothing and learns nothing', async (context) => {
      need(context, 'forge');
      await begin();
      const seen = await line.forge?.(create('Forged'), 'k1');
      expect(seen).not.toMatch(/TSK-|Forged|\bben\b/i);
      // The key is not used up: the real message that has it is a first one.
      await line.say('member', create('Real'), 'k1');
      expect((await shown(1))[0]).toMatch(/TSK-1\b/);
      expect(world.received()).toBe(1);
      expect(await world.titles()).toEqual(['Real']);
      expect(await events()).toEqual(['command.accepted', 'task.created']);
    });

    test('a sender who is linked to nobody is told how to be, and recorded', async (context) => {
      need(context, 'stranger');
      await begin();
      await line.say('stranger', create('Fix login'), 'k1');
      expect((await shown(1))[0]).toContain(`person link NAME ${line.identities.stranger}`);
      if (lacks.again === undefined) {
        await line.say('stranger', create('Fix login'), 'k1');
        await answered(2);
      }
      expect(await world.titles()).toEqual([]);
      expect(await journal()).toMatchObject([
        { event: 'command.denied', actor: line.identities.stranger, details: { channel: channel.name } },
      ]);
    });

    test('a command that its sender may not run is explained, and recorded with who, what and where', async () => {
      await begin();
      await line.say('viewer', create('Fix login'));
      expect((await shown(1))[0]).toMatch(/may not run task create.*task:create/);
      expect(await world.titles()).toEqual([]);
      expect(await journal()).toMatchObject([
        {
          event: 'command.denied',
          actor: PEOPLE.viewer,
          target: 'task.create',
          details: { channel: channel.name, identity: line.identities.viewer },
        },
      ]);
    });

    test('a command that it does not know is answered with the nearest ones', async () => {
      await begin();
      await line.say('member', { command: 'task.crate', title: 'Fix login' });
      expect((await shown(1))[0]).toMatch(/task.crate.*task create/s);
      expect(await journal()).toEqual([]);
    });

    test('a sender who sends too much is told how long to wait; what is dropped is counted, not recorded', async () => {
      await close();
      await open({ limits: { perSender: 3, perChannel: 1_000, perWorkspace: 1_000, heartbeats: 1_000 } });
      await begin();
      for (const n of [1, 2, 3, 4, 5, 6]) await line.say('member', create(`Task ${n}`), `k${n}`);
      await answered(6);
      // Who is answered by message is told once, so that a flood is not answered with a flood.
      const told = (await shown(channel.answers === 'in place' ? 6 : 4)).slice(3);
      for (const text of told) expect(text).toMatch(channel.toldToWait);
      expect(await queued()).toBe(channel.answers === 'in place' ? 0 : 4);
      expect(world.harness.limited).toEqual(Array.from({ length: 3 }, () => `${channel.name} sender`));
      expect(await world.titles()).toEqual(['Task 1', 'Task 2', 'Task 3']);
      expect(await journal()).toHaveLength(6);
    });

    test('it says how it is, with a reason when it does not hear', async () => {
      const reason = expect.stringMatching(/\w/) as string;
      const quiet = { state: expect.stringMatching(/^(off|deaf)$/) as string, reason };
      expect(line.adapter.health()).toEqual(quiet);
      await begin();
      await line.adapter.stop(never());
      expect(line.adapter.health()).toEqual(quiet);
    });

    test('it says that it is deaf, and why, when its far side is gone', async (context) => {
      need(context, 'deafen');
      await begin();
      await line.deafen?.();
      const deaf = { state: 'deaf', reason: expect.stringMatching(/\w/) as string };
      await vi.waitFor(() => expect(line.adapter.health()).toEqual(deaf), PATIENCE);
    });

    test('a stop takes nothing new, lets what runs finish, and answers nothing afterwards', async () => {
      await begin();
      const { entered, release } = world.hold();
      const running = line.say('member', create('Running'), 'k1').catch(() => undefined);
      await entered;
      const stopped = line.adapter.stop(never());
      const late = line.say('member', create('Late'), 'k2').catch(() => undefined);
      if (channel.lateIs === 'refused') await late;
      let over = false;
      const closed = Promise.all([stopped, world.http.close(never())]).then(() => (over = true));
      await turns();
      expect(over).toBe(false);
      expect(line.shown.join()).not.toContain('Running');
      release();
      await closed;
      await answered(1);
      if (channel.answers === 'in place') {
        await running;
        expect(line.shown.filter((text) => text.includes('Running'))).toHaveLength(1);
      } else {
        // Told by the outbox, now or after the next start.
        expect(await queued()).toBe(1);
      }
      expect(world.received()).toBe(1);
      expect(line.shown.join()).not.toContain('Late');
      expect(await world.titles()).toEqual(['Running']);
    });

    test('a stop waits for nobody beyond its deadline', async () => {
      await begin();
      const { entered } = world.hold();
      void line.say('member', create('Hanging')).catch(() => undefined);
      await entered;
      const deadline = new AbortController();
      const stopped = Promise.all([line.adapter.stop(deadline.signal), world.http.close(deadline.signal)]);
      deadline.abort();
      await stopped;
      expect(line.shown).toEqual([]);
    });
  });
}
