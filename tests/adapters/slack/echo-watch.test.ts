import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { EchoWatch, type Hearing } from '../../../adapters/slack/echo-watch.ts';
import { MINUTE } from '../../../src/domain/clock.ts';
import { testClock } from '../../support/harness.ts';
import { CHANNEL, setUp, soon } from './support.ts';

/** What several processes share. */
function shared(): Hearing & { at: Date | undefined } {
  return {
    at: undefined,
    load() {
      return Promise.resolve(this.at);
    },
    save(at) {
      this.at = at;
      return Promise.resolve();
    },
  };
}

describe.each(['http', 'socket'] as const)('over %s', (mode) => {
  async function start(to: string) {
    const hearing = shared();
    const parts = await setUp(mode, { hearing, checkEvery: 5 });
    const { slack, adapter, clock } = parts;
    const post = async () => {
      const message = { key: `k${slack.messages.length}`, reply: { text: 'Hello' } };
      await adapter.notifier?.send({ channel: 'slack', to }, message);
      await slack.settled();
    };
    const pass = (milliseconds: number) => {
      clock.at = new Date(clock.at.getTime() + milliseconds);
    };
    /** How it is after two more looks: each asks Slack who we are, too. */
    const looked = async () => {
      const before = slack.requests.length;
      await soon(() => slack.requests.length).toBeGreaterThan(before + 2);
      return adapter.health();
    };
    return { ...parts, hearing, post, pass, looked };
  }

  test('what comes back shows that Slack is heard', async () => {
    const { post, pass, looked } = await start('U1');
    await post();
    pass(10 * MINUTE);
    expect(await looked()).toEqual({ state: 'on' });
  });

  test('a post that does not come back shows that nothing is heard, until something is', async () => {
    const { slack, adapter, post, pass, looked } = await start('U1');
    slack.muted = true;
    await post();
    pass(2 * MINUTE - 1);
    expect(await looked()).toEqual({ state: 'on' });
    pass(1);
    await soon(() => adapter.health()).toMatchObject({
      state: 'deaf',
      reason: expect.stringMatching(/^no events arrive though/),
    });
    slack.muted = false;
    await slack.slashCommand('status', { user: 'U1', channel: CHANNEL });
    expect(adapter.health()).toEqual({ state: 'on' });
  });

  test('what another process heard counts', async () => {
    const { slack, hearing, clock, post, pass, looked } = await start('U1');
    slack.muted = true;
    await post();
    pass(MINUTE);
    hearing.at = clock.at;
    pass(5 * MINUTE);
    expect(await looked()).toEqual({ state: 'on' });
  });

  test('what this one heard is shared', async () => {
    const { slack, hearing, clock } = await start('U1');
    await slack.slashCommand('status', { user: 'U1', channel: CHANNEL });
    await expect.poll(() => hearing.at, { timeout: 10_000 }).toEqual(clock.at);
  });

  test('without a post to a direct conversation nothing is judged', async () => {
    const { slack, post, pass, looked } = await start(CHANNEL);
    slack.muted = true;
    await post();
    pass(10 * MINUTE);
    expect(await looked()).toEqual({ state: 'on' });
  });
});

test('what was heard while the database is away is shared once it is back', async () => {
  const hearing = shared();
  const clock = testClock();
  const saves = [() => Promise.reject(new Error('away'))];
  const away: Hearing = {
    load: () => hearing.load(),
    save: (at) => saves.shift()?.() ?? hearing.save(at),
  };
  const watch = new EchoWatch(away, clock, pino({ level: 'silent' }));
  watch.heard();
  await watch.look();
  expect(hearing.at).toBeUndefined();
  await watch.look();
  expect(hearing.at).toEqual(clock.now());
});

test('an echo that is quicker than what Slack answers to the post is no silence', async () => {
  const clock = testClock();
  const watch = new EchoWatch(shared(), clock, pino({ level: 'silent' }));
  watch.heard();
  watch.posted('D1');
  clock.pass(2 * MINUTE);
  await watch.look();
  expect(watch.problem).toBeUndefined();
});
