import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createEmailAdapter, type Cursor, type EmailOptions } from '../../../adapters/email/index.ts';
import type { Adapter } from '../../../src/core/adapter.ts';
import type { Inbound } from '../../../src/core/message.ts';
import { systemClock } from '../../../src/domain/clock.ts';
import { charge } from '../support/charge.ts';
import { dovecotMissing, startDovecot, type Dovecot } from '../../fakes/dovecot.ts';
import { MailDomain, rawMail, Zone } from '../../fakes/mail.ts';
import { fakeSmtp, type FakeSmtp } from '../../fakes/smtp.ts';

const missing = dovecotMissing();
if (missing !== undefined) process.stderr.write(`skipped: the tests of a real mailbox, because ${missing}\n`);

const zone = new Zone();
const good = new MailDomain('good.test', zone);
const PATIENCE = { timeout: 10_000, interval: 20 };

describe.skipIf(missing !== undefined)('a real mailbox', () => {
  let dovecot: Dovecot;
  let smtp: FakeSmtp;
  let adapter: Adapter | undefined;
  let received: Inbound[];
  let dropped: string[];
  let cursor: Cursor | undefined;

  beforeAll(async () => {
    [dovecot, smtp] = await Promise.all([startDovecot(), fakeSmtp()]);
  }, 30_000);
  afterAll(async () => {
    await Promise.all([dovecot.close(), smtp.close()]);
  });
  beforeEach(async () => {
    await dovecot.empty();
    received = [];
    dropped = [];
    cursor = undefined;
  });
  afterEach(() => stop());

  async function start(more: Partial<EmailOptions> = {}): Promise<Adapter> {
    adapter = await createEmailAdapter({
      workspace: 'main',
      imap: dovecot.imap,
      smtp: { host: '127.0.0.1', port: smtp.port, secure: false },
      address: 'bot@example.test',
      resolver: zone.resolve,
      pollInterval: 60_000, // only IDLE is quick enough for these tests
      retry: { first: 20, most: 100 },
      receive: async (message) => {
        received.push(message);
        return { id: '1', status: 'ok', reply: { text: 'done' }, correlationId: '1' };
      },
      clock: systemClock,
      log: pino({ level: 'silent' }),
      cursor: {
        load: async () => cursor,
        save: async (next) => {
          cursor = next;
        },
      },
      dropped: (reason) => dropped.push(reason),
      ...more,
    });
    await adapter.start();
    return adapter;
  }
  async function stop() {
    await adapter?.stop(AbortSignal.timeout(5_000));
    adapter = undefined;
  }
  const listening = () => vi.waitFor(() => expect(adapter?.health()).toEqual({ state: 'on' }), PATIENCE);
  const texts = () => received.map(({ body }) => ('text' in body ? body.text : body.command));
  const hears = (...expected: string[]) => vi.waitFor(() => expect(texts()).toEqual(expected), PATIENCE);
  const settled = (count: number) =>
    vi.waitFor(async () => {
      const flags = await dovecot.flags();
      expect(flags.filter((line) => line.includes('\\Seen'))).toHaveLength(count);
    }, PATIENCE);
  const signed = (text: string, fields = {}) => good.sign(rawMail(fields, `${text}\r\n`));

  test('is read by one of several processes; the next one goes on where it was when that one is gone', async () => {
    const { own, give, takeAway, lose } = charge(false);
    await start({ own });
    expect(adapter?.health()).toEqual({ state: 'standby', reason: 'another process reads the mailbox' });
    await dovecot.deliver(await signed('first'));
    await give();
    await hears('first');
    await settled(1);
    await takeAway();
    expect(adapter?.health().state).toBe('standby');
    await dovecot.deliver(await signed('second'));
    expect(texts()).toEqual(['first']);
    await give();
    await hears('first', 'second');
    expect(adapter?.health()).toEqual({ state: 'on' });
    await lose();
    expect(adapter?.health().state).toBe('deaf');
  });

  test('hears a signed mail once and answers in its thread', async () => {
    const { notifier } = await start();
    await listening();
    await dovecot.deliver(await signed('task list', { 'Message-ID': '<ask@good.test>' }));
    await hears('task list');
    const [message] = received;
    if (!message?.replyTo || !notifier) throw new Error('there is no way back');
    await notifier.send(message.replyTo, { key: 'k1', reply: { text: 'Nothing to do.' } });
    expect(smtp.mails.at(-1)).toMatchObject({
      subject: 'Re: Hello',
      inReplyTo: '<ask@good.test>',
      text: 'Nothing to do.\n',
      to: { text: 'ana@good.test' },
    });
    await settled(1);
    expect(texts()).toEqual(['task list']);
  });

  test('takes what came before the start, in order', async () => {
    for (const text of ['one', 'two', 'three']) await dovecot.deliver(await signed(text));
    await start();
    await hears('one', 'two', 'three');
    expect(new Set(received.map((message) => message.dedupeKey)).size).toBe(3);
  });

  test('gives the token of a plus address on as proof', async () => {
    await start();
    const raw = await signed('approve', { To: 'bot@example.test', Subject: 'Re: [APR-12] x' });
    await dovecot.deliver(raw, { to: 'bot+t0ken@example.test' });
    await hears('approval.approve');
    expect(received).toMatchObject([{ proof: 't0ken' }]);
  });

  test('hears the next mail after it was thrown out while it listened', async () => {
    await start();
    await listening();
    await dovecot.kick();
    await dovecot.deliver(await signed('task list'));
    await hears('task list');
    await listening();
    expect(texts()).toEqual(['task list']);
  });

  test('says that it is deaf while the server is away, and hears again when it is back', async () => {
    await start();
    await listening();
    await dovecot.down();
    await vi.waitFor(() => {
      expect(adapter?.health()).toMatchObject({ state: 'deaf', reason: expect.stringMatching(/not heard/) });
    }, PATIENCE);
    await dovecot.up();
    await dovecot.deliver(await signed('task list'));
    await hears('task list');
  });

  test('repeats nothing after a restart, and takes what came in between', async () => {
    await start();
    await dovecot.deliver(await signed('one'));
    await hears('one');
    await settled(1);
    await stop();
    await dovecot.deliver(await signed('two'));
    await start();
    await hears('one', 'two');
    await settled(2);
    expect(texts()).toEqual(['one', 'two']);
  });

  test('repeats a mail under the same key when it stopped before the cursor was stored', async () => {
    await dovecot.deliver(await signed('one'));
    await start();
    await hears('one');
    await settled(1);
    await stop();
    cursor = undefined;
    await start();
    await hears('one', 'one');
    expect(received[1]?.dedupeKey).toBe(received[0]?.dedupeKey);
  });

  test('reads a mailbox with another UIDVALIDITY again, under the same keys', async () => {
    await start();
    await dovecot.deliver(await signed('one'));
    await hears('one');
    await settled(1);
    await stop();
    const before = cursor;
    await dovecot.renew();
    await start();
    await hears('one', 'one');
    expect(received[1]?.dedupeKey).toBe(received[0]?.dedupeKey);
    await vi.waitFor(() => expect(cursor?.lastUid).toBe(before?.lastUid), PATIENCE);
    expect(cursor?.uidValidity).not.toBe(before?.uidValidity);
  });

  test('neither hands on nor answers a forged mail, and goes on', async () => {
    const sent = smtp.mails.length;
    await start();
    await dovecot.deliver(rawMail({}, 'key create\r\n'));
    await dovecot.deliver(await signed('task list'));
    await hears('task list');
    expect(dropped).toEqual(['not_signed']);
    expect(smtp.mails).toHaveLength(sent);
  });

  test('does not read a mail of more than 5 MB', async () => {
    await start();
    await dovecot.deliver(await good.sign(rawMail({}, `task list\r\n${'x'.repeat(900)}\r\n`.repeat(6_000))));
    await dovecot.deliver(await signed('one'));
    await hears('one');
    expect(dropped).toEqual(['too_large']);
  });

  test('tries a mail again whose DNS did not answer, without holding up the others', async () => {
    const shaky = new MailDomain('shaky.test', zone);
    zone.broken.add('_dmarc.shaky.test');
    await start({ pollInterval: 50 });
    await dovecot.deliver(await shaky.sign(rawMail({ From: 'eve@shaky.test' }, 'late\r\n')));
    await dovecot.deliver(await signed('one'));
    await hears('one');
    zone.broken.clear();
    await hears('one', 'late');
    await settled(2);
    expect(dropped).toEqual([]);
  });

  test('tries a mail again that met an outage on our side', async () => {
    let away = true;
    await start({
      pollInterval: 50,
      receive: async (message) => {
        received.push(message);
        const error = away
          ? { status: 'error' as const, error: { code: 'unavailable' } }
          : { status: 'ok' as const };
        away = false;
        return { id: '1', reply: { text: '' }, correlationId: '1', ...error };
      },
    });
    await dovecot.deliver(await signed('one'));
    await hears('one', 'one');
    await settled(1);
    expect(received[1]?.dedupeKey).toBe(received[0]?.dedupeKey);
  });

  test('lets the mail in work finish when it is stopped, and reads no other', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    for (const text of ['one', 'two']) await dovecot.deliver(await signed(text));
    await start({
      receive: async (message) => {
        received.push(message);
        await gate;
        return { id: '1', status: 'ok', reply: { text: 'done' }, correlationId: '1' };
      },
    });
    await hears('one');
    const stopping = stop();
    release();
    await stopping;
    expect(texts()).toEqual(['one']);
    await settled(1);
  });

  test('does not start with a login that is refused', async () => {
    const starting = start({ imap: { ...dovecot.imap, pass: 'wrong' } });
    await expect(starting).rejects.toMatchObject({
      name: 'Refusal',
      message: expect.stringMatching(/login/),
    });
  });

  test('starts deaf while the server is away', async () => {
    const started = await start({ imap: { ...dovecot.imap, port: 1 } });
    expect(started.health()).toMatchObject({ state: 'deaf', reason: expect.stringMatching(/ECONNREFUSED/) });
  });
});
