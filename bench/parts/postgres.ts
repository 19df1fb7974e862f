import { Child } from '../child.ts';
import type { CommandsAnswer, CommandsQuestion } from '../commands.ts';
import { Cluster } from '../postgres.ts';
import { median } from '../stats.ts';

export const CALLERS = [1, 16, 64] as const;
/** Milliseconds that a flush to disk lasts longer. */
export const SLOWER = [0, 3] as const;

export interface AtCallers {
  readonly callers: (typeof CALLERS)[number];
  readonly slower: (typeof SLOWER)[number];
  readonly ours: CommandsAnswer;
  readonly unchained: CommandsAnswer;
  /** Commands a second against the same writes without a chain. */
  readonly throughput: number;
}

/** Commands on PostgreSQL beside the same writes without a chain, in turns, on this disk and on one that is slower. */
export async function postgres({
  rounds,
  seconds,
}: {
  rounds: number;
  seconds: number;
}): Promise<AtCallers[]> {
  const cluster = await Cluster.start();
  try {
    const urls = { signalbox: await cluster.database(), unchained: await cluster.database() };
    const all: AtCallers[] = [];
    for (const slower of SLOWER) {
      await cluster.slowDown(slower);
      for (const callers of CALLERS) {
        const pairs: { ours: CommandsAnswer; unchained: CommandsAnswer }[] = [];
        for (let round = 0; round < rounds; round += 1)
          pairs.push({
            unchained: await ask({ who: 'unchained', url: urls.unchained, callers, seconds }),
            ours: await ask({ who: 'signalbox', url: urls.signalbox, callers, seconds }),
          });
        all.push({ callers, slower, ...middle(pairs) });
      }
    }
    return all;
  } finally {
    await cluster.stop();
  }
}

async function ask(question: CommandsQuestion): Promise<CommandsAnswer> {
  const child = new Child<CommandsQuestion, CommandsAnswer>(new URL('../commands.ts', import.meta.url));
  try {
    return await child.ask(question);
  } finally {
    child.stop();
  }
}

function middle(pairs: readonly { ours: CommandsAnswer; unchained: CommandsAnswer }[]) {
  const of = (who: 'ours' | 'unchained'): CommandsAnswer => ({
    perSecond: median(pairs.map((pair) => pair[who].perSecond)),
    p50: median(pairs.map((pair) => pair[who].p50)),
    cpu: median(pairs.map((pair) => pair[who].cpu)),
  });
  return {
    ours: of('ours'),
    unchained: of('unchained'),
    throughput: median(pairs.map(({ ours, unchained }) => ours.perSecond / unchained.perSecond)),
  };
}
