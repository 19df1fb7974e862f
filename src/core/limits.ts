import type { Limits } from '../domain/catalog.ts';
import { SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import type { Principal } from '../domain/principal.ts';
import type { ChannelName, VerifiedIdentity } from './message.ts';
import { MinuteCounter, type SharedCounts } from './minute-counter.ts';

/** What may come in: so many messages and requests a minute, and so much that stays open. */
export interface Admission {
  /**
   * `beat`: a heartbeat, which is counted by itself. @throws Refusal `rate_limited` with `retryAfter` in milliseconds; it
   * names which limit was met.
   */
  admit(channel: ChannelName, from: VerifiedIdentity, beat?: boolean): Promise<void>;
  /**
   * Counts what stays open (a socket, a stream, a waiting poll) against the principal behind it, whatever keys it has;
   * returns how to let it go. @throws Refusal `rate_limited` when that many are open already.
   */
  hold(channel: ChannelName, from: VerifiedIdentity, who: Principal): () => void;
}

/** A minute's messages of one sender, of one channel, of the workspace; a minute's heartbeats of one sender. */
type Minute = 'sender' | 'channel' | 'workspace' | 'heartbeats';
type Scope = Minute | 'open';

/** Far above what one program needs; each costs some 20 KB and a share of every delivery. */
const MOST_OPEN = 2_000;
const TEXT: Record<Minute, string> = {
  sender: 'You sent more messages than the limit allows',
  channel: 'This channel received more messages than the limit allows',
  workspace: 'This workspace received more messages than the limit allows',
  heartbeats: 'You sent more heartbeats than the limit allows',
};

/** `shared`: where other processes count the same senders. */
export function createAdmission(
  limits: Limits,
  dropped: (channel: ChannelName, scope: Scope) => void,
  mostOpen = MOST_OPEN,
  shared?: SharedCounts,
): Admission {
  const open = new Map<string, number>();
  const beats: readonly [Minute, MinuteCounter][] = [
    ['heartbeats', new MinuteCounter(limits.heartbeats, shared)],
  ];
  const messages: readonly [Minute, MinuteCounter][] = [
    ['sender', new MinuteCounter(limits.perSender, shared)],
    ['channel', new MinuteCounter(limits.perChannel, shared)],
    ['workspace', new MinuteCounter(limits.perWorkspace, shared)],
  ];
  return {
    async admit(channel, from, beat = false) {
      const sender = `${from.workspace}\n${from.channel}\n${from.subject}`;
      const keys: Record<Minute, string> = {
        sender,
        heartbeats: `${sender}\nheartbeats`,
        channel: `${from.workspace}\n${channel}`,
        workspace: from.workspace,
      };
      for (const [scope, counter] of beat ? beats : messages) {
        const wait = await counter.consume(keys[scope]);
        if (wait === undefined) continue;
        dropped(channel, scope);
        const seconds = Math.ceil(wait / 1_000);
        throw new Refusal(
          'rate_limited',
          `${TEXT[scope]} (${counter.points} a minute). Try again in ${seconds} s.`,
          { retryAfter: wait },
        );
      }
    },
    hold(channel, { workspace }, { name }) {
      const key = `${workspace}\n${name}`;
      const count = (by: number) => {
        const now = (open.get(key) ?? 0) + by;
        if (now > 0) open.set(key, now);
        else open.delete(key);
        return now;
      };
      if (count(1) <= mostOpen) return once(() => count(-1));
      count(-1);
      dropped(channel, 'open');
      throw new Refusal(
        'rate_limited',
        `${mostOpen} sockets and streams of yours are open; close one before you open another.`,
        { retryAfter: 10 * SECOND },
      );
    },
  };
}

function once(work: () => unknown): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}
