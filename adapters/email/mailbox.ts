import { setTimeout as delay } from 'node:timers/promises';
import { ImapFlow } from 'imapflow';
import { DAY, MINUTE, SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Cursor, EmailOptions } from './options.ts';
import { MAX_AGE, type Intake } from './intake.ts';
import { Progress } from './progress.ts';
import { mustUpgrade, tlsOf } from './server.ts';

const MAX_MAIL = 5 * 1024 * 1024;
const RETRY = { first: SECOND, most: 5 * MINUTE };

/** Listens to INBOX: IDLE, and a look every poll interval; connects again by itself, and says so while it cannot. */
export class Mailbox {
  readonly #options: EmailOptions;
  readonly #intake: Intake;
  readonly #stopping = new AbortController();
  #client: ImapFlow | undefined;
  #trouble: string | undefined = 'not connected yet';
  #running: Promise<void> = Promise.resolve();
  /** Raised by the server's word of new mail, also while mails are read. */
  #heard = false;
  #wake: () => void = () => undefined;

  constructor(options: EmailOptions, intake: Intake) {
    this.#options = options;
    this.#intake = intake;
  }

  /** Why no mail is heard at present; undefined while it is. */
  trouble(): string | undefined {
    return this.#trouble;
  }

  /** @throws Refusal when the login is refused; a server that is away is tried again for as long as it takes. */
  async start(): Promise<void> {
    let client: ImapFlow | undefined;
    try {
      client = await this.#connect();
    } catch (error) {
      if (isLoginRefused(error)) {
        throw new Refusal(
          'unauthenticated',
          `The mail server refused the login of ${this.#options.imap.user}.`,
        );
      }
      this.#lost(error);
    }
    this.#running = this.#run(client);
  }

  /** Reads no further mail, lets the one in work finish until the deadline, then logs out. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await Promise.race([this.#running, aborted(deadline)]);
    this.#client?.close();
    this.#trouble = 'stopped';
  }

  async #run(first: ImapFlow | undefined): Promise<void> {
    const { first: shortest, most } = this.#options.retry ?? RETRY;
    const random = this.#options.random ?? Math.random;
    let client = first;
    let wait = shortest;
    while (!this.#stopping.signal.aborted) {
      try {
        client ??= await this.#connect();
        wait = shortest;
        await this.#listen(client);
        await client.logout();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#lost(error);
        // Between half and the whole of it, so that many clients of a server that was away do not come back as one.
        await delay(wait * (0.5 + random() / 2), undefined, { signal: this.#stopping.signal }).catch(
          () => undefined,
        );
        wait = Math.min(wait * 2, most);
      } finally {
        client?.close();
        client = undefined;
      }
    }
  }

  /** A client cannot be used twice, so each connection is a new one. */
  async #connect(): Promise<ImapFlow> {
    const { imap, pollInterval } = this.#options;
    const client = new ImapFlow({
      host: imap.host,
      port: imap.port,
      secure: imap.secure,
      ...(mustUpgrade(imap) && { doSTARTTLS: true }),
      auth: { user: imap.user, pass: imap.pass },
      ...(imap.tls?.servername !== undefined && { servername: imap.tls.servername }),
      ...tlsOf(imap),
      logger: false,
      disableAutoIdle: true,
      connectionTimeout: 30 * SECOND,
      // A link that is half open shows here; a look at the mailbox is due long before.
      socketTimeout: pollInterval * 2 + 30 * SECOND,
      maxLiteralSize: MAX_MAIL + 1024,
    });
    this.#client = client;
    client.on('error', (error) => this.#options.log.debug({ err: error }, 'mail connection'));
    client.on('close', () => this.#wake());
    client.on('exists', () => {
      this.#heard = true;
      this.#wake();
    });
    try {
      await client.connect();
      await client.mailboxOpen('INBOX');
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  async #listen(client: ImapFlow): Promise<void> {
    const progress = await this.#resume(client);
    this.#trouble = undefined;
    this.#options.log.info({ lastUid: progress.cursor.lastUid }, 'listening to the mailbox');
    while (!this.#stopping.signal.aborted) {
      if (!client.usable) throw new Error('the server closed the connection');
      this.#heard = false;
      await this.#look(client, progress);
      await this.#quiet(client);
    }
  }

  /** Takes up at the stored cursor. In a mailbox that is new to us, at the oldest mail that may still be fresh. */
  async #resume(client: ImapFlow): Promise<Progress> {
    const { cursor, clock } = this.#options;
    if (client.mailbox === false) throw new Error('the mailbox is not open');
    const { uidValidity, uidNext } = client.mailbox;
    const stored = await cursor.load();
    if (stored?.uidValidity === String(uidValidity)) return new Progress(stored);
    const since = new Date(clock.now().getTime() - MAX_AGE - DAY); // SEARCH SINCE knows days only
    const recent = (await client.search({ since }, { uid: true })) || [];
    const lastUid = Math.min(uidNext, ...recent) - 1;
    const fresh: Cursor = { uidValidity: String(uidValidity), lastUid };
    await cursor.save(fresh);
    return new Progress(fresh);
  }

  async #look(client: ImapFlow, progress: Progress): Promise<void> {
    const found = await client.search({ uid: `${progress.cursor.lastUid + 1}:*` }, { uid: true });
    for (const uid of progress.due(found || [])) {
      if (this.#stopping.signal.aborted) return;
      if ((await this.#take(client, uid)) === 'later') {
        progress.postpone(uid);
        continue;
      }
      // Seen and the cursor only after the effect is durable; a crash in between is told by the dedupe key.
      await client.messageFlagsAdd(String(uid), ['\\Seen'], { uid: true });
      if (progress.settle(uid)) await this.#options.cursor.save(progress.cursor);
    }
  }

  async #take(client: ImapFlow, uid: number): Promise<'settled' | 'later'> {
    const { log, dropped } = this.#options;
    const info = await client.fetchOne(String(uid), { size: true }, { uid: true });
    if (!info) return 'settled'; // expunged in between
    if ((info.size ?? 0) > MAX_MAIL) {
      log.warn({ uid, size: info.size }, 'a mail of more than 5 MB was not read');
      dropped?.('too_large');
      return 'settled';
    }
    const mail = await client.fetchOne(String(uid), { source: { maxLength: MAX_MAIL } }, { uid: true });
    if (!mail || !mail.source) return 'settled';
    try {
      return await this.#intake(mail.source, uid);
    } catch (err) {
      log.error({ err, uid }, 'a mail could not be read');
      return 'later';
    }
  }

  /** Until the server tells of new mail, the connection ends, a poll is due, or we stop. */
  #quiet(client: ImapFlow): Promise<void> {
    if (this.#heard || this.#stopping.signal.aborted || !client.usable) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#options.pollInterval);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      // Ends by itself with the next command; awaiting it would wait for that.
      client.idle().catch(() => this.#wake());
    });
  }

  #lost(error: unknown): void {
    this.#trouble = `the mailbox is not heard: ${reason(error)}`;
    this.#options.log.warn({ reason: reason(error) }, 'mail connection lost; trying again');
  }
}

const isLoginRefused = (error: unknown): boolean =>
  error instanceof Error && 'authenticationFailed' in error && error.authenticationFailed === true;

function reason(error: unknown): string {
  if (isLoginRefused(error)) return 'the login is refused';
  const { code, message } = error as { code?: string; message?: string };
  return code ?? message ?? 'unknown error';
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
