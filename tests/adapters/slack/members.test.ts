import type { webApi } from '@slack/bolt';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { AccountWatch } from '../../../adapters/slack/account.ts';
import { Members } from '../../../adapters/slack/members.ts';
import { verified } from '../../../src/core/message.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { testClock } from '../../support/harness.ts';

const ana = verified({
  workspace: 'main',
  channel: 'slack',
  subject: 'T1/UANA',
  assurance: 'slack',
  scopes: ['*'],
});

/** Asks Slack by what stands in for it. */
const asking = (info: (user: { user: string }) => Promise<object>, within?: number) =>
  new Members({
    client: { users: { info } } as unknown as webApi.WebClient,
    account: { account: { team: 'T1', botUser: 'UBOT', botId: 'B1' } } as AccountWatch,
    clock: testClock(),
    log: pino({ level: 'silent' }),
    within,
  });

test('nobody waits for Slack longer than they have time, and what it says late is there the next time', async () => {
  const said = Promise.withResolvers<object>();
  const asked: string[] = [];
  const info = ({ user }: { user: string }) => {
    asked.push(user);
    return said.promise;
  };
  const members = asking(info, 1);
  await expect(members.vouchFor(ana)).rejects.toMatchObject({ code: 'unavailable' });
  await expect(members.vouchFor(ana)).rejects.toMatchObject({ code: 'unavailable' });
  said.resolve({ ok: true, user: { id: 'UANA', team_id: 'T1', is_restricted: true } });
  await said.promise;
  expect(await members.vouchFor(ana)).toEqual({ ...ana, outsider: 'guest' });
  expect(asked).toEqual(['UANA']);
});

test.each([{ ok: true }, { ok: true, user: {} }, { ok: true, user: { id: 'UANA', is_bot: false } }])(
  'an answer that names no team vouches for nobody: %j',
  async (answer) => {
    const vouching = asking(() => Promise.resolve(answer)).vouchFor(ana);
    await expect(vouching).rejects.toMatchObject({ code: 'unavailable' });
  },
);

test('however many commands come at once while Slack is slow, it is asked once for each sender', async () => {
  const said = Promise.withResolvers<object>();
  const asked: string[] = [];
  const members = asking(({ user }) => {
    asked.push(user);
    return said.promise;
  });
  const senders = Array.from({ length: 200 }, (_, n) => verified({ ...ana, subject: `T1/U${n % 10}` }));
  const vouching = senders.map((one) => members.vouchFor(one));
  said.resolve({ ok: true, user: { team_id: 'T1' } });
  expect(await Promise.all(vouching)).toEqual(senders);
  expect(asked).toHaveLength(10);
});

test('somebody of another team with the id of one of ours is not taken for them', async () => {
  const members = asking(() => Promise.resolve({ ok: true, user: { team_id: 'T1' } }));
  expect(await members.vouchFor(ana)).toEqual(ana);
  const other = verified({ ...ana, subject: 'T2/UANA' });
  expect(await members.vouchFor(other)).toEqual({ ...other, outsider: 'stranger' });
});

test('whom there was no turn to ask about is asked about the next time', async () => {
  const full = new Refusal('rate_limited', 'users.info has been called enough.', { retryAfter: 5_000 });
  const answers: Promise<object>[] = [
    Promise.reject(full),
    Promise.resolve({ ok: true, user: { id: 'UANA', team_id: 'T1' } }),
  ];
  const members = new Members({
    client: { users: { info: () => answers.shift() } } as unknown as webApi.WebClient,
    account: { account: { team: 'T1', botUser: 'UBOT', botId: 'B1' } } as AccountWatch,
    clock: testClock(),
    log: pino({ level: 'silent' }),
    within: 1_000,
  });
  await expect(members.vouchFor(ana)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await members.vouchFor(ana)).toEqual(ana);
});
