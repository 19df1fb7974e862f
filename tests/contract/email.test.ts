import { afterAll, beforeAll } from 'vitest';
import { createEmailAdapter, type Cursor } from '../../adapters/email/index.ts';
import { systemClock } from '../../src/domain/clock.ts';
import { silent } from '../adapters/support/world.ts';
import { dovecotMissing, startDovecot, type Dovecot } from '../fakes/dovecot.ts';
import { MailDomain, rawMail, Zone } from '../fakes/mail.ts';
import { fakeSmtp, type FakeSmtp } from '../fakes/smtp.ts';
import { adapterContract, type Line } from './adapter.ts';
import { PEOPLE, typed, type Ask, type Sender, type World } from './world.ts';

const missing = dovecotMissing();
if (missing !== undefined)
  process.stderr.write(`skipped: the adapter contract of email, because ${missing}\n`);

const zone = new Zone();
const domain = new MailDomain('example.test', zone);
const addressOf = (who: Sender): string => `${PEOPLE[who]}@example.test`;
let dovecot: Dovecot;
let smtp: FakeSmtp;

if (missing === undefined) {
  beforeAll(async () => {
    [dovecot, smtp] = await Promise.all([startDovecot(), fakeSmtp()]);
  }, 30_000);
  afterAll(async () => {
    await Promise.all([dovecot.close(), smtp.close()]);
  });
}

adapterContract({
  title: 'email',
  name: 'email',
  skip: missing,
  answers: 'by message',
  toldToWait: /Try again in \d+ s/,
  showsCorrelation: false,
  lateIs: 'unheard',
  lacks: { reuse: 'its key covers what the mail says' },
  async open(world): Promise<Line> {
    await dovecot.empty();
    const before = smtp.mails.length;
    const written = new Map<string, Promise<Buffer>>();
    let away = false;
    return {
      adapter: await createAdapter(world),
      get shown() {
        return smtp.mails.slice(before).map((mail) => `${mail.subject}\n${mail.text}`);
      },
      identities: {
        member: `email:${addressOf('member')}`,
        viewer: `email:${addressOf('viewer')}`,
        stranger: `email:${addressOf('stranger')}`,
      },
      async say(from, ask, key) {
        const mail = written.get(key ?? '') ?? domain.sign(write(from, ask, key));
        if (key !== undefined) written.set(key, mail);
        await dovecot.deliver(await mail, { from: addressOf(from) });
      },
      async forge(ask, key) {
        const sent = smtp.mails.length;
        await dovecot.deliver(write('member', ask, key), { from: addressOf('member') });
        return smtp.mails
          .slice(sent)
          .map((mail) => mail.text)
          .join();
      },
      async deafen() {
        away = true;
        await dovecot.down();
      },
      async close() {
        if (away) await dovecot.up();
      },
    };
  },
});

function write(from: Sender, ask: Ask, key: string | undefined): string {
  const id = key === undefined ? {} : { 'Message-ID': `<${key}@example.test>` };
  return rawMail({ From: addressOf(from), ...id }, `${typed(ask)}\r\n`);
}

function createAdapter({ harness, receive }: World) {
  let cursor: Cursor | undefined;
  return createEmailAdapter({
    workspace: harness.workspace,
    imap: dovecot.imap,
    smtp: { host: '127.0.0.1', port: smtp.port, secure: false },
    address: 'bot@example.test',
    resolver: zone.resolve,
    pollInterval: 60_000,
    retry: { first: 20, most: 100 },
    receive,
    clock: systemClock, // mail servers stamp with the time of day
    log: silent,
    cursor: {
      load: async () => cursor,
      save: async (next) => {
        cursor = next;
      },
    },
  });
}
