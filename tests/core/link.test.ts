import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Inbound } from '../../src/core/message.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import { linkCodes } from '../../src/domain/records.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { byMail, identity, onSlack, rows } from './support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

const say = (text: string, over: Partial<Inbound>) => h.run('', text, over);
const CODE = /[A-HJ-NP-Z2-9]{5}-[A-HJ-NP-Z2-9]{5}/;
const codeFor = async (over: Partial<Inbound>) => CODE.exec((await say('link', over)).reply.text)?.[0] ?? '';

test('a stranger who is proven gets a code, of which only the digest is stored', async () => {
  const shown = await codeFor(onSlack('new'));
  const stored = await rows(h, linkCodes);
  expect(stored).toMatchObject([{ channel: 'slack', subject: 'T1/UNEW', assurance: 'slack' }]);
  expect(stored[0]?.expiresAt).toEqual(new Date(h.clock.now().getTime() + 15 * MINUTE));
  expect(JSON.stringify([stored, await h.entries()])).not.toContain(shown.replace('-', ''));
});

test('asking again makes the earlier code worthless', async () => {
  const first = await codeFor(byMail('new'));
  const second = await codeFor(byMail('new'));
  expect(second).not.toBe(first);
  expect((await h.run('ben', `link ${first}`)).error?.code).toBe('not_found');
  expect((await h.run('ben', `link ${second.toLowerCase()}`)).status).toBe('ok');
  expect((await say('whoami', byMail('new'))).reply.text).toContain('You are ben');
});

test.each(['Link', ' link\n', 'LINK'])('%j asks for one', async (text) => {
  expect((await say(text, onSlack('new'))).reply.text).toMatch(CODE);
});

test.each(['link me', 'linked', 'help', 'link ABCDE-FGHJK'])('%j does not', async (text) => {
  expect((await say(text, onSlack('new'))).error?.code).toBe('forbidden');
  expect(await rows(h, linkCodes)).toEqual([]);
});

test('where nobody writes from there is nothing to link', async () => {
  const lost = [identity('key', 'k1'), identity('principal', 'gone'), identity('source', 'ci')];
  for (const from of lost) expect((await say('link', { from })).error?.code).toBe('forbidden');
  expect(await rows(h, linkCodes)).toEqual([]);
});

test('somebody who was removed cannot come back through another’s name', async () => {
  await h.run('ana', 'person add eve --identity slack:T1/UEVE');
  await h.run('ana', 'person remove eve');
  const shown = await codeFor(onSlack('eve'));
  // Whoever vouches for the address takes it over; it never is eve's again.
  expect((await h.run('ben', `link ${shown}`)).status).toBe('ok');
  expect((await say('whoami', onSlack('eve'))).reply.text).toContain('You are ben');
});
