import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { createTerminalAdapter } from '../../adapters/terminal/index.ts';
import type { Adapter } from '../../src/core/adapter.ts';
import { verified } from '../../src/core/message.ts';
import { adapterContract, type Line } from './adapter.ts';
import { PEOPLE, typed, type Sender, type World } from './world.ts';

adapterContract({
  title: 'terminal',
  name: 'terminal',
  answers: 'in place',
  toldToWait: /^✗ .*\n +Try again in \d+ s\./,
  showsCorrelation: false,
  lateIs: 'unheard',
  lacks: {
    again: 'nothing sends a typed line a second time',
    reuse: 'a typed line has no key',
    forge: 'whoever sits at it is vouched for by the one who opened it',
    deafen: 'it ends with its input',
  },
  async open(world): Promise<Line> {
    const shown: string[] = [];
    const seats = new Map<Sender, Seat>([['member', sit(world, 'member', shown)]]);
    const [member] = seats.values();
    if (!member) throw new Error('nobody sits there');
    return {
      adapter: member.adapter,
      shown,
      identities: {
        member: 'principal:ben',
        viewer: 'principal:vic',
        stranger: 'principal:eve',
      },
      async say(from, ask) {
        const seat = seats.get(from) ?? sit(world, from, shown);
        if (!seats.has(from)) await seat.adapter.start();
        seats.set(from, seat);
        const answer = once(seat.output, 'data');
        seat.input.write(`${typed(ask)}\n`);
        await answer;
      },
      close: async () => {
        for (const { adapter } of seats.values()) await adapter.stop(AbortSignal.abort());
      },
    };
  },
});

interface Seat {
  readonly adapter: Adapter;
  readonly input: PassThrough;
  readonly output: PassThrough;
}

/** A terminal of its own for each person. */
function sit({ harness, receive }: World, who: Sender, shown: string[]): Seat {
  const input = new PassThrough();
  const output = new PassThrough();
  output.setEncoding('utf8').on('data', (text: string) => shown.push(text));
  const adapter = createTerminalAdapter({
    input,
    output,
    receive,
    clock: harness.clock,
    identity: verified({
      workspace: harness.workspace,
      channel: 'principal',
      subject: PEOPLE[who],
      assurance: 'local',
      scopes: ['*'],
    }),
  });
  return { adapter, input, output };
}
