import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParsedMail } from 'mailparser';
import type { Overrides } from '../../../src/app.ts';
import { startDovecot, type Dovecot } from '../../fakes/dovecot.ts';
import { MailDomain, rawMail, Zone } from '../../fakes/mail.ts';
import { fakeSmtp, type FakeSmtp } from '../../fakes/smtp.ts';
import { soon } from './soon.ts';

/** A mailbox of Signalbox's own on a real Dovecot, and people of good.test who sign what they send to it. */
export class Mailroom {
  readonly #dovecot: Dovecot;
  readonly #smtp: FakeSmtp;
  readonly #zone = new Zone();
  readonly #domain = new MailDomain('good.test', this.#zone);

  private constructor(dovecot: Dovecot, smtp: FakeSmtp) {
    this.#dovecot = dovecot;
    this.#smtp = smtp;
  }

  static async open(): Promise<Mailroom> {
    const [dovecot, smtp] = await Promise.all([startDovecot(), fakeSmtp()]);
    return new Mailroom(dovecot, smtp);
  }

  /** The variables that turn the channel on; `folder` takes the server's certificate. */
  async env(folder: string): Promise<Record<string, string>> {
    const { imap } = this.#dovecot;
    const ca = join(folder, 'mail-ca.pem');
    await writeFile(ca, imap.tls.ca);
    return {
      EMAIL_ADDRESS: imap.user,
      IMAP_HOST: imap.host,
      IMAP_PORT: String(imap.port),
      IMAP_USER: imap.user,
      IMAP_PASSWORD: imap.pass,
      IMAP_CA: ca,
      SMTP_HOST: '127.0.0.1',
      SMTP_PORT: String(this.#smtp.port),
      SMTP_SECURE: 'false',
    };
  }

  get overrides(): NonNullable<Overrides['mail']> {
    return { resolver: this.#zone.resolve };
  }

  /** What Signalbox has sent so far. */
  get sent(): readonly ParsedMail[] {
    return this.#smtp.mails;
  }

  /** The mail that was sent to somebody and answers that mail, or none. */
  async received(to: string, inReplyTo?: string): Promise<ParsedMail> {
    return soon(() => {
      const found = this.sent.find((mail) => addressee(mail) === to && mail.inReplyTo === inReplyTo);
      if (!found) throw new Error(`no mail to ${to} among ${this.sent.map(addressee).join(', ')}`);
      return found;
    });
  }

  /** An answer to a mail as a mail reader writes it: to its Reply-To, above what it quotes, signed by its domain. */
  async answer(mail: ParsedMail, from: string, line: string, messageId: string): Promise<Letter> {
    const to = mail.replyTo?.value[0]?.address ?? '';
    const quoted = (mail.text ?? '')
      .trimEnd()
      .split('\n')
      .map((one) => `> ${one}`);
    const fields = {
      From: from,
      To: to,
      Subject: `Re: ${mail.subject}`,
      'Message-ID': messageId,
      'In-Reply-To': mail.messageId,
    };
    const body = [line, '', 'On Monday, Signalbox wrote:', ...quoted, ''].join('\r\n');
    return { raw: await this.#domain.sign(rawMail(fields, body)), to, from };
  }

  /** Puts a letter into the mailbox; resolves when it was dealt with. */
  async deliver({ raw, to, from }: Letter): Promise<void> {
    const before = await this.#settled();
    await this.#dovecot.deliver(raw, { to, from });
    await soon(async () => {
      if ((await this.#settled()) <= before) throw new Error('the mail was not dealt with');
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.#dovecot.close(), this.#smtp.close()]);
  }

  async #settled(): Promise<number> {
    return (await this.#dovecot.flags()).filter((flags) => flags.includes('\\Seen')).length;
  }
}

export interface Letter {
  readonly raw: Buffer;
  readonly to: string;
  readonly from: string;
}

const addressee = ({ to }: ParsedMail): string =>
  (Array.isArray(to) ? to : [to]).map((one) => one?.text).join();
