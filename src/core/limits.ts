import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Limits } from '../domain/catalog.ts';
import { Refusal } from '../domain/errors.ts';
import type { ChannelName, VerifiedIdentity } from './message.ts';

/** Incoming messages per minute: of one sender, of one channel, of the workspace. */
export interface Admission {
  /** @throws Refusal `rate_limited` with `retryAfter` in milliseconds; it names which limit was met. */
  admit(channel: ChannelName, from: VerifiedIdentity): Promise<void>;
}

type Scope = 'sender' | 'channel' | 'workspace';

const TEXT: Record<Scope, string> = {
  sender: 'You sent more messages than the limit allows',
  channel: 'This channel received more messages than the limit allows',
  workspace: 'This workspace received more messages than the limit allows',
};

export function createAdmission(
  limits: Limits,
  dropped: (channel: ChannelName, scope: Scope) => void,
): Admission {
  const limiter = (points: number) => new RateLimiterMemory({ points, duration: 60 });
  const scopes: readonly [Scope, number, RateLimiterMemory][] = [
    ['sender', limits.perSender, limiter(limits.perSender)],
    ['channel', limits.perChannel, limiter(limits.perChannel)],
    ['workspace', limits.perWorkspace, limiter(limits.perWorkspace)],
  ];
  return {
    async admit(channel, from) {
      const keys: Record<Scope, string> = {
        sender: `${from.workspace}\n${from.channel}\n${from.subject}`,
        channel: `${from.workspace}\n${channel}`,
        workspace: from.workspace,
      };
      for (const [scope, points, counter] of scopes) {
        try {
          await counter.consume(keys[scope]);
        } catch (met) {
          if (!(met instanceof RateLimiterRes)) throw met;
          dropped(channel, scope);
          const seconds = Math.ceil(met.msBeforeNext / 1_000);
          throw new Refusal(
            'rate_limited',
            `${TEXT[scope]} (${points} a minute). Try again in ${seconds} s.`,
            {
              retryAfter: met.msBeforeNext,
            },
          );
        }
      }
    },
  };
}
