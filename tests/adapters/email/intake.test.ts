import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import type { EmailOptions } from '../../../adapters/email/options.ts';
import { createIntake } from '../../../adapters/email/intake.ts';
import type { Outbound } from '../../../src/core/adapter.ts';
import type { Address, Answer, Inbound } from '../../../src/core/message.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { MailDomain, rawMail, Zone } from '../../fakes/mail.ts';

const zone = new Zone();
const good = new MailDomain('good.test', zone);
const answer: Answer = { id: '1', status: 'ok', reply: { text: 'done' }, correlationId: '1' };

let received: Inbound[];
let sent: { to: Address; message: Outbound }[];
let dropped: string[];
let outcome: { answer: Answer; sendError?: Error };
beforeEach(() => {
  received = [];
  sent = [];
  dropped = [];
  outcome = { answer };
});

function intake(now: Date | (() => Date) = new Date(), more: Partial<EmailOptions> = {}) {
  return createIntake(
    {
      workspace: 'main',
      imap: { host: 'localhost', port: 1, secure: true, user: 'bot', pass: 'not-a-real-password' },
      smtp: { host: 'localhost', port: 1, secure: true },
      address: 'bot@example.test',
      resolver: zone.resolve,
      pollInterval: 1_000,
      receive: async (message) => {
        received.push(message);
        return outcome.answer;
      },
      clock: { now: typeof now === 'function' ? now : () => now },
      log: pino({ level: 'silent' }),
      cursor: { load: async () => undefined, save: async () => undefined },
      dropped: (reason) => dropped.push(reason),
      ...more,
    },
    {
      send: async (to, message) => {
        if (outcome.sendError) throw outcome.sendError;
        sent.push({ to, message });
        return { externalId: message.key };
      },
    },
  );
}

const take = async (fields: Parameters<typeof rawMail>[0] = {}, body?: string) =>
  intake()(await good.sign(rawMail(fields, body)), 1);

test('a proven command is handed on with its sender, its key and the way back', async () => {
  const fields = { 'Message-ID': '<b@good.test>', References: '<a@good.test>', Subject: 'Hello' };
  expect(await take(fields)).toBe('settled');
  expect(received).toEqual([
    {
      channel: 'email',
      from: {
        workspace: 'main',
        channel: 'email',
        subject: 'ana@good.test',
        assurance: 'dkim',
        scopes: ['*'],
      },
      body: { text: 'task list' },
      dedupeKey: expect.stringMatching(/^email:<b@good\.test>:[0-9a-f]{64}$/),
      conversation: '<a@good.test>',
      replyTo: {
        channel: 'email',
        to: 'ana@good.test',
        thread: '<b@good.test>',
        context: { subject: 'Hello', references: ['<a@good.test>'] },
      },
    },
  ]);
  expect(sent).toEqual([]); // the pipeline answers
});

test.each([
  ['To', { To: 'bot+t0ken@example.test' }],
  ['Cc', { Cc: 'Bot <bot+t0ken@example.test>' }],
  ['Delivered-To', { 'Delivered-To': 'bot+t0ken@example.test' }],
])('the tag of a plus address in %s is handed on as proof', async (_name, fields) => {
  await take({ ...fields, Subject: 'Re: [APR-12] x' }, 'approve\r\n');
  expect(received).toMatchObject([
    { proof: 't0ken', body: { command: 'approval.approve', args: { approval: 'APR-12' } } },
  ]);
});

test('a Reply-To changes nothing: the answer goes to the proven sender', async () => {
  await take({ 'Reply-To': 'mallory@evil.test' });
  expect(received).toMatchObject([{ replyTo: { to: 'ana@good.test' } }]);
});

describe('neither run nor answered are', () => {
  test.each([
    ['forged mails', { From: 'ana@other.test' }, 'not_signed'],
    ['automatic answers', { 'Auto-Submitted': 'auto-replied' }, 'auto_reply'],
    ['mails of lists', { 'List-Id': '<x.good.test>' }, 'list'],
    ['bounces', { 'Return-Path': '<>' }, 'bounce'],
    ['answers of people who are away', { Subject: '=?utf-8?q?R=C3=A9ponse_automatique_: x?=' }, 'auto_reply'],
    ['our own mails', { From: 'bot@example.test' }, 'ourselves'],
  ])('%s', async (_name, fields, reason) => {
    expect(await take(fields)).toBe('settled');
    expect([received, sent, dropped]).toEqual([[], [], [reason]]);
  });

  test('garbage', async () => {
    for (const raw of ['', '\r\n\r\n', 'no field\r\n\r\nx', '\0', 'From: x'])
      await intake()(Buffer.from(raw), 1);
    expect([received, sent]).toEqual([[], []]);
    expect(dropped).toHaveLength(5);
  });
});

describe('a proven mail that is not understood', () => {
  const html = { 'Content-Type': 'text/html', Subject: 'Hi' };

  test('is answered with the reason, in its thread', async () => {
    expect(await take(html, '<p>task list</p>')).toBe('settled');
    expect(received).toEqual([]);
    expect(sent).toMatchObject([
      {
        to: { to: 'ana@good.test', context: { subject: 'Hi' } },
        message: { reply: { text: expect.stringMatching(/plain text/) } },
      },
    ]);
  });

  test('is answered a few times an hour, not more', async () => {
    const one = intake();
    for (let n = 0; n < 8; n += 1) await one(await good.sign(rawMail(html, '<p>x</p>')), n);
    expect(sent).toHaveLength(5);
  });

  test('waits while its answer cannot be sent, but not for an address that is refused', async () => {
    outcome.sendError = new Error('away');
    expect(await take(html, '<p>x</p>')).toBe('later');
    outcome.sendError = new Refusal('not_found', 'no such address');
    expect(await take(html, '<p>x</p>')).toBe('settled');
  });
});

describe('a mail that breaks its reader', () => {
  const poison = `${'--b\r\nContent-Type: text/x\r\n\r\n\r\n'.repeat(2_000)}--b--\r\n`;

  test('is answered with the reason and never looked at again', async () => {
    const fields = { 'Content-Type': 'multipart/mixed; boundary=b', Subject: '=?utf-8?q?B=C3=A4r?=' };
    expect(await take(fields, poison)).toBe('settled');
    expect([received, dropped]).toEqual([[], ['not_understood']]);
    expect(sent).toMatchObject([
      {
        to: { context: { subject: 'Bär' } },
        message: { reply: { text: expect.stringMatching(/cannot be read/) } },
      },
    ]);
  });
});

describe('the mails of one sender', () => {
  const hour = Date.parse('2026-11-20T10:00:00Z');
  let now = hour;
  const one = () => intake(() => new Date(now), { perHour: 2 });
  const mail = (From = 'ana@good.test') => good.sign(rawMail({ From, Date: new Date(hour).toUTCString() }));
  beforeEach(() => {
    now = hour;
  });

  test('are taken up to a number an hour, and then neither run nor answered', async () => {
    const box = one();
    for (let uid = 0; uid < 5; uid += 1) expect(await box(await mail(), uid)).toBe('settled');
    expect(received).toHaveLength(2);
    expect([sent, dropped]).toEqual([[], ['too_many', 'too_many', 'too_many']]);
    await box(await mail('bob@good.test'), 6);
    now += 3_600_000;
    await box(await mail(), 7);
    expect(received).toHaveLength(4);
  });

  test('count once each, however often an outage brings them back', async () => {
    const box = one();
    outcome.answer = { ...answer, status: 'error', error: { code: 'unavailable' } };
    const raw = await mail();
    for (let n = 0; n < 5; n += 1) expect(await box(raw, 1)).toBe('later');
    outcome.answer = answer;
    expect(await box(await mail(), 2)).toBe('settled');
    expect(await box(raw, 1)).toBe('settled');
    expect([received.length, dropped]).toEqual([7, []]);
  });
});

test.each([
  ['unavailable', 'later'],
  ['internal', 'later'],
  ['forbidden', 'settled'],
  ['rate_limited', 'settled'],
] as const)('after %s the mail is %s', async (code, expected) => {
  outcome.answer = { ...answer, status: 'error', error: { code } };
  expect(await take()).toBe(expected);
});

test('while the DNS does not answer the mail waits, and a day later it is refused', async () => {
  const raw = await good.sign(rawMail());
  zone.broken.add('_dmarc.good.test');
  expect(await intake()(raw, 1)).toBe('later');
  expect(await intake(new Date(Date.now() + 25 * 3_600_000))(raw, 1)).toBe('settled');
  zone.broken.clear();
  expect([received, sent, dropped]).toEqual([[], [], ['not_fresh']]);
});
