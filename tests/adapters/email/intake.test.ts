import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
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

function intake(now = new Date()) {
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
      clock: { now: () => now },
      log: pino({ level: 'silent' }),
      cursor: { load: async () => undefined, save: async () => undefined },
      dropped: (reason) => dropped.push(reason),
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
