import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createMailNotifier, type MailNotifier } from '../../../adapters/email/notifier.ts';
import type { Reply } from '../../../src/core/message.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { fakeSmtp, type FakeSmtp } from '../../fakes/smtp.ts';

let smtp: FakeSmtp;
let notifier: MailNotifier;
beforeAll(async () => {
  smtp = await fakeSmtp();
  notifier = createMailNotifier({ host: '127.0.0.1', port: smtp.port, secure: false }, 'bot@example.test');
});
afterEach(() => smtp.accept());
afterAll(async () => {
  notifier.close();
  await smtp.close();
});

const ana = { channel: 'email', to: 'ana@good.test' } as const;
async function send(reply: Reply, to: Parameters<MailNotifier['send']>[0] = ana, key = 'k1') {
  const { externalId } = await notifier.send(to, { key, reply });
  const mail = smtp.mails.at(-1);
  if (!mail) throw new Error('nothing arrived');
  return { externalId, mail };
}

describe('an answer', () => {
  test('stands in the thread of what it answers and says that a program wrote it', async () => {
    const { mail, externalId } = await send(
      { text: 'TSK-1 created.\nIt is queued.' },
      { ...ana, thread: '<b@good.test>', context: { subject: 'Hello', references: ['<a@good.test>'] } },
    );
    expect(mail).toMatchObject({
      subject: 'Re: Hello',
      inReplyTo: '<b@good.test>',
      references: ['<a@good.test>', '<b@good.test>'],
      messageId: externalId,
      text: 'TSK-1 created.\nIt is queued.\n',
    });
    expect(mail.headers.get('auto-submitted')).toBe('auto-replied');
    expect(mail.headers.get('x-auto-response-suppress')).toBe('All');
  });

  test('has the same Message-ID whenever it is sent, and another one under another key', async () => {
    const first = await send({ text: 'x' }, ana, 'same');
    const again = await send({ text: 'x' }, ana, 'same');
    const other = await send({ text: 'x' }, ana, 'other');
    expect(again.mail.messageId).toBe(first.mail.messageId);
    expect(other.mail.messageId).not.toBe(first.mail.messageId);
    expect(first.mail.messageId).toMatch(/^<[0-9a-f]{40}@example\.test>$/);
  });

  test('cannot carry headers or HTML in', async () => {
    const { mail } = await send(
      { text: '<script>alert(1)</script> & "x"' },
      {
        ...ana,
        thread: '<b@good.test>',
        context: { subject: 'x\r\nBcc: mallory@evil.test', references: ['junk\r\nX: y'] },
      },
    );
    expect(mail.bcc).toBe(undefined);
    expect(mail.subject).toBe('Re: x Bcc: mallory@evil.test');
    expect(mail.references).toBe('<b@good.test>');
    expect(mail.html).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;x&quot;');
    expect(mail.html).not.toContain('<script>');
  });
});

describe('a mail that nobody asked for', () => {
  test('takes its subject from its first line', async () => {
    const { mail } = await send({ text: 'JOB-3 failed\nexit code 1' });
    expect(mail.subject).toBe('JOB-3 failed');
    expect(mail.inReplyTo).toBe(undefined);
    expect(mail.headers.get('auto-submitted')).toBe('auto-generated');
  });

  test('says how to use its actions', async () => {
    const invocation = { command: 'yes', args: { id: '1' } };
    const { mail } = await send({ text: 'Run it?', actions: [{ label: 'Yes', invocation }] });
    expect(mail.text).toContain('Yes: answer with the line\n{"command":"yes","args":{"id":"1"}}');
  });

  test('says what is to be filled in where an action asks for it', async () => {
    const invocation = { command: 'task.block', args: { task: 'TSK-1' } };
    const actions = [{ label: 'Block', invocation, asks: ['reason'] }];
    const { mail } = await send({ text: 'Block it?', actions });
    expect(mail.text).toContain(
      'Block: answer with the line, with your reason in place of the dots\n' +
        '{"command":"task.block","args":{"task":"TSK-1","reason":"…"}}',
    );
  });

  test('about an approval is answered to an address of its own', async () => {
    const { mail } = await send({
      text: 'bo asks to run\njob run deploy',
      data: { approval: 'APR-12', mailToken: 't0ken' },
      actions: [
        { label: 'Approve', invocation: { command: 'approval.approve', args: { approval: 'APR-12' } } },
      ],
    });
    expect(mail.subject).toBe('[APR-12] bo asks to run');
    expect(mail.replyTo?.text).toBe('bot+t0ken@example.test');
    expect(mail.text).toContain('`approve`');
    expect(mail.text).not.toContain('t0ken');
  });

  test('in place of an earlier one stands under it', async () => {
    await notifier.send(ana, {
      key: 'k9',
      reply: { text: 'APR-12 approved.' },
      replaces: '<first@example.test>',
    });
    expect(smtp.mails.at(-1)?.inReplyTo).toBe('<first@example.test>');
  });
});

describe('a mail that is not accepted', () => {
  test('for now is to be sent again, and the channel says so until one goes out', async () => {
    smtp.refuse(451);
    const sending = notifier.send(ana, { key: 'k', reply: { text: 'x' } });
    await expect(sending).rejects.toThrow(/cannot be sent.*451/);
    await expect(sending).rejects.not.toBeInstanceOf(Refusal);
    expect(notifier.trouble()).toMatch(/451/);
    smtp.accept();
    await send({ text: 'x' });
    expect(notifier.trouble()).toBe(undefined);
  });

  test('for good is never sent again', async () => {
    smtp.refuse(550);
    const sending = notifier.send(ana, { key: 'k', reply: { text: 'x' } });
    await expect(sending).rejects.toMatchObject({ name: 'Refusal', code: 'not_found' });
    expect(notifier.trouble()).toBe(undefined);
  });

  test.each([
    'nobody',
    'ana@good.test, bob@good.test',
    'ana@good.test\r\nBcc: x@evil.test',
    'bot+x@example.test',
  ])('because its address is none, or ours: %j', async (to) => {
    const sent = smtp.mails.length;
    const sending = notifier.send({ channel: 'email', to }, { key: 'k', reply: { text: 'x' } });
    await expect(sending).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(smtp.mails).toHaveLength(sent);
  });

  test('because the server is away is to be sent again', async () => {
    const away = createMailNotifier({ host: '127.0.0.1', port: 1, secure: false }, 'bot@example.test');
    await expect(away.send(ana, { key: 'k', reply: { text: 'x' } })).rejects.toThrow(/cannot be sent/);
    away.close();
  });
});
