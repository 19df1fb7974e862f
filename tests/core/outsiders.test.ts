import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Inbound } from '../../src/core/message.ts';
import { linkCodes } from '../../src/domain/records.ts';
import { identities, type Outsider } from '../../src/domain/principal.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { events, identity, onSlack, outgoing, rows } from './support.ts';

const OUTSIDE = ['guest', 'bot', 'stranger'] as const satisfies readonly Outsider[];
const GAL = 'T1/UGAL';

describe.each(DATABASES)('on %s, somebody from outside', (_, create) => {
  let h: Harness;
  beforeEach(async () => {
    h = await create();
  });
  afterEach(() => h.close());

  /** Gal, in an open call unless told where the answer goes. */
  const gal = (outsider: Outsider | undefined, over: Partial<Inbound> = {}): Partial<Inbound> => ({
    channel: 'slack',
    from: identity('slack', GAL, { assurance: 'slack', ...(outsider && { outsider }) }),
    conversation: 'slack:C1:UGAL',
    ...over,
  });
  const ask = (text: string, outsider?: Outsider, over?: Partial<Inbound>) =>
    h.run('', text, gal(outsider, over));
  const who = async (outsider?: Outsider) => (await ask('whoami', outsider)).reply.text.split('\n')[0];
  const linkByCode = async () => {
    const code = /[A-Z2-9]{5}-[A-Z2-9]{5}/.exec((await ask('link')).reply.text)?.[0];
    expect((await h.run('ben', `link ${code}`)).status).toBe('ok');
  };

  test.each(OUTSIDE)('gets no code as a %s, and hears what to ask for', async (outsider) => {
    const answer = await ask('link', outsider);
    expect(answer.error?.code).toBe('forbidden');
    expect(answer.reply.text).toMatch(/administrator names them: person link NAME slack:T1\/UGAL$/);
    expect(await rows(h, linkCodes)).toEqual([]);
    expect((await events(h, /^command\./)).at(-1)).toMatchObject({
      event: 'command.denied',
      actor: `slack:${GAL}`,
      target: 'link',
      details: { channel: 'slack', assurance: 'slack', reason: expect.stringMatching(/named/) },
    });
  });

  test('is denied as soon as they are, whoever confirmed their code', async () => {
    await linkByCode();
    expect(await who()).toContain('You are ben');
    for (const outsider of OUTSIDE) expect((await ask('whoami', outsider)).error?.code).toBe('forbidden');
    expect(await who()).toContain('You are ben');
  });

  test.each(OUTSIDE)('is let in as a %s once an administrator names them', async (outsider) => {
    expect((await h.run('ana', `person add gal --roles viewer --identity slack:${GAL}`)).status).toBe('ok');
    expect(await who(outsider)).toContain('You are gal');
    expect((await h.run('gal', `link --remove slack:${GAL}`)).status).toBe('ok');
    expect((await ask('whoami', outsider)).error?.code).toBe('forbidden');
    expect((await h.run('ana', `person link gal slack:${GAL}`)).status).toBe('ok');
    expect(await who(outsider)).toContain('You are gal');
  });

  test('who had linked by code is named for the same person, and for no other', async () => {
    await linkByCode();
    expect((await h.run('ana', `person link cho slack:${GAL}`)).error?.code).toBe('conflict');
    expect((await h.run('ana', `person link ben slack:${GAL}`)).status).toBe('ok');
    expect(await who('guest')).toContain('You are ben');
    expect((await h.run('ana', `person link ben slack:${GAL}`)).error?.code).toBe('conflict');
    expect((await events(h, /^identity\./)).map(({ details }) => details)).toMatchObject([
      { subject: GAL, origin: 'command' },
      { subject: GAL, origin: 'named' },
    ]);
  });

  test('may be named in the configuration', async () => {
    const from = identity('slack', 'T1/UVIC', { outsider: 'guest' });
    expect((await h.run('', 'whoami', { from })).reply.text).toContain('You are vic');
  });

  test('whose account was closed is denied, named or not', async () => {
    await h.run('ana', `person add gal --roles viewer --identity slack:${GAL}`);
    const answer = await ask('whoami', 'deactivated');
    expect(answer).toMatchObject({ error: { code: 'forbidden' } });
    expect(answer.reply.text).toBe('You are not known here. This account was closed.');
  });

  test('what was answered before is not answered again to a guest', async () => {
    await linkByCode();
    const over = { dedupeKey: 'slack:1' };
    expect((await ask('task create x', undefined, over)).status).toBe('ok');
    expect((await ask('task create x', 'guest', over)).error?.code).toBe('forbidden');
    expect((await rows(h, identities, { where: { subject: GAL } })).map(({ origin }) => origin)).toEqual([
      'command',
    ]);
  });

  test.each([
    ['guest', 1],
    ['bot', 0],
    ['stranger', 0],
  ] as const)('as a %s is sent %i messages about it, and is on record', async (outsider, messages) => {
    const { replyTo } = onSlack('gal');
    await ask('task list', outsider, { dedupeKey: 'slack:1', ...(replyTo && { replyTo }) });
    expect(Object.keys(await outgoing(h))).toHaveLength(messages);
    expect(await events(h, /^command\.denied/)).toHaveLength(1);
  });

  test('as a program that was named is answered like anybody', async () => {
    await h.run('ana', `person add gal --kind agent --roles viewer --identity slack:${GAL}`);
    const { replyTo } = onSlack('gal');
    await ask('task list', 'bot', { dedupeKey: 'slack:1', ...(replyTo && { replyTo }) });
    expect(Object.keys(await outgoing(h))).toHaveLength(1);
  });
});
