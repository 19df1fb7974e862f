import { expect, test } from 'vitest';
import { automatic } from '../../../adapters/email/automatic.ts';
import { splitMail } from '../../../adapters/email/header.ts';
import { rawMail } from '../../fakes/mail.ts';

function check(fields: Parameters<typeof rawMail>[0], sender: string | undefined = 'ana@good.test') {
  const mail = splitMail(Buffer.from(rawMail(fields)));
  if (!mail) throw new Error('malformed');
  return automatic(mail.headers, sender, 'bot@example.test');
}

test.each([
  [{ 'Auto-Submitted': 'auto-replied' }, 'auto_reply'],
  [{ 'Auto-Submitted': 'auto-generated (vacation)' }, 'auto_reply'],
  [{ 'Auto-Submitted': ['no', 'auto-replied'] }, 'auto_reply'],
  [{ 'Return-Path': '<>' }, 'bounce'],
  [{ 'Return-Path': '< >' }, 'bounce'],
  [{ 'Content-Type': 'multipart/report; report-type=delivery-status; boundary=b' }, 'bounce'],
  [{ 'List-Id': '<dev.good.test>' }, 'list'],
  [{ 'List-Unsubscribe': '<mailto:x@good.test>' }, 'list'],
  [{ Precedence: 'Bulk' }, 'list'],
  [{ Precedence: ['first-class', 'auto_reply'] }, 'list'],
  [{ 'X-Auto-Response-Suppress': 'All' }, 'auto_reply'],
  [{ 'X-Auto-Response-Suppress': 'DR, OOF, AutoReply' }, 'auto_reply'],
  [{ 'X-Autoreply': 'yes' }, 'auto_reply'],
])('%j was not written by hand', (fields, reason) => {
  expect(check(fields)).toBe(reason);
});

test('neither were mails of the mail system and of our own', () => {
  expect(check({}, 'mailer-daemon@good.test')).toBe('bounce');
  for (const name of ['no-reply', 'noreply', 'no_reply', 'do-not-reply', 'donotreply', 'noreply+7'])
    expect(check({}, `${name}@good.test`)).toBe('auto_reply');
  expect(check({}, 'norepl@good.test')).toBe(undefined);
  expect(check({}, 'bot@example.test')).toBe('ourselves');
  expect(check({}, 'Bot+tag@Example.test')).toBe('ourselves');
});

test('an ordinary mail is', () => {
  expect(check({ 'Auto-Submitted': 'no', 'Return-Path': '<ana@good.test>', Precedence: 'first-class' })).toBe(
    undefined,
  );
  expect(check({ 'X-Auto-Response-Suppress': 'None' })).toBe(undefined);
  expect(check({}, undefined)).toBe(undefined);
});
