import type { DNSResolver } from 'mailauth';
import type { Logger } from 'pino';
import type { Receive } from '../../src/core/adapter.ts';
import type { Own } from '../../src/core/owned.ts';
import type { Clock } from '../../src/domain/clock.ts';

/** An IMAP or SMTP server. Without `secure` the connection is upgraded by STARTTLS, unless it stays on this machine. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte (usually ports 993 and 465). */
  readonly secure: boolean;
  readonly user?: string;
  readonly pass?: string;
  /** `ca` (PEM) is trusted besides the usual authorities. */
  readonly tls?: { readonly ca?: string | Buffer; readonly servername?: string };
}

/** How far the mailbox was read: every mail up to this UID is settled (RFC 3501 §2.3.1.1). */
export interface Cursor {
  readonly uidValidity: string;
  readonly lastUid: number;
}

export interface CursorStore {
  load(): Promise<Cursor | undefined>;
  /** Resolves once it is durable. */
  save(cursor: Cursor): Promise<void>;
}

export interface EmailOptions {
  readonly workspace: string;
  readonly imap: MailServer & { readonly user: string; readonly pass: string };
  readonly smtp: MailServer;
  /** Our own address; `+tags` of it must reach the same mailbox. */
  readonly address: string;
  /** DNS, as `dns.promises.resolve`; asked with a time-out of its own unless given. */
  readonly resolver?: DNSResolver;
  /** Milliseconds between looks into the mailbox where IDLE tells nothing. */
  readonly pollInterval: number;
  /** Waits in milliseconds between tries to connect: doubling from `first` to `most`; 1 s to 5 min unless given. */
  readonly retry?: { readonly first: number; readonly most: number };
  readonly random?: () => number;
  /** Mails of one sender that are taken within an hour; 60 unless given. */
  readonly perHour?: number;
  readonly receive: Receive;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cursor: CursorStore;
  /** One process reads the mailbox, the others stand by; this one is alone unless given. */
  readonly own?: Own;
  /** Told of each mail that was not run, with a stable reason, for metrics. */
  readonly dropped?: (reason: string) => void;
}
