import { hash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import type { Notifier, Outbound } from '../../src/core/adapter.ts';
import type { Address } from '../../src/core/message.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { isAddress, ownTag, splitAddress } from './address.ts';
import { messageIds } from './header.ts';
import type { MailServer } from './options.ts';
import { render } from './render.ts';
import { mustUpgrade, tlsOf } from './server.ts';

export interface MailNotifier extends Notifier {
  /** Why nothing could be sent the last time, until something is sent again. */
  trouble(): string | undefined;
  close(): void;
}

/**
 * Sends mails from `address` through an SMTP server over TLS; a server on this machine may do without.
 * @throws from `send`: Refusal for what no repeat will mend (RFC 5321 §4.2.1: 5yz), Error for what one may.
 */
export function createMailNotifier(server: MailServer, address: string): MailNotifier {
  const transport = createTransport({
    pool: true,
    maxConnections: 2,
    host: server.host,
    port: server.port,
    secure: server.secure,
    requireTLS: mustUpgrade(server),
    ...(server.user === undefined ? {} : { auth: { user: server.user, pass: server.pass ?? '' } }),
    ...tlsOf(server),
    connectionTimeout: 10 * SECOND,
    greetingTimeout: 10 * SECOND,
    socketTimeout: 30 * SECOND,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  let trouble: string | undefined;
  return {
    async send(to, message) {
      const mail = compose(to, message, address);
      try {
        const info = await transport.sendMail(mail);
        trouble = undefined;
        // A partial acceptance does not throw.
        if (info.rejected.length > 0) throw new Refusal('not_found', `The mail server refused ${to.to}.`);
        return { externalId: mail.messageId };
      } catch (error) {
        if (error instanceof Refusal) throw error;
        const refusal = permanent(error, to.to);
        if (refusal) throw refusal;
        trouble = `mail cannot be sent: ${reason(error)}`;
        throw new Error(trouble, { cause: error });
      }
    },
    trouble: () => trouble,
    close: () => transport.close(),
  };
}

function compose(to: Address, message: Outbound, own: string) {
  if (!isAddress(to.to)) throw new Refusal('invalid_argument', `${to.to} is not a plain mail address.`);
  if (ownTag(to.to, own) !== undefined)
    throw new Refusal('invalid_argument', 'This is our own mail address.');
  const { subject, text, html, replyTo } = render(to, message.reply, own);
  const listed = to.context?.['references'];
  const references = Array.isArray(listed) ? listed.flatMap((id) => messageIds(String(id))) : [];
  const parent = to.thread ?? message.replaces;
  return {
    from: { name: 'Signalbox', address: own },
    to: { name: '', address: to.to },
    ...(replyTo === undefined ? {} : { replyTo }),
    subject,
    text,
    html,
    messageId: messageIdOf(message.key, own),
    ...(parent === undefined ? {} : { inReplyTo: parent, references: [...references, parent] }),
    headers: {
      'Auto-Submitted': to.thread === undefined ? 'auto-generated' : 'auto-replied', // RFC 3834 §5
      'X-Auto-Response-Suppress': 'All', // the same wish, as Exchange reads it
    },
  };
}

/** The same key gives the same id, so that a repeat is seen as one by mail servers and readers. */
function messageIdOf(key: string, own: string): string {
  return `<${hash('sha256', key, 'hex').slice(0, 40)}@${splitAddress(own)[1]}>`;
}

/** A 5yz about this very mail. One at the greeting or at the login is our own trouble, and passes. */
function permanent(error: unknown, to: string): Refusal | undefined {
  const { responseCode = 0, command = '' } = error as { responseCode?: number; command?: string };
  if (responseCode < 500 || !/^(MAIL FROM|RCPT TO|DATA)/i.test(command)) return undefined;
  return new Refusal('not_found', `The mail server refused a mail to ${to} for good (${responseCode}).`, {
    cause: error,
  });
}

function reason(error: unknown): string {
  const { code, responseCode } = error as { code?: string; responseCode?: number };
  return [code, responseCode].filter((part) => part !== undefined).join(' ') || 'unknown error';
}
