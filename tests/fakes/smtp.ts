import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { simpleParser, type ParsedMail } from 'mailparser';
import { SMTPServer } from 'smtp-server';

export interface FakeSmtp {
  readonly port: number;
  /** What arrived, in order. */
  readonly mails: readonly ParsedMail[];
  /** The next recipients get this answer instead of 250. */
  refuse(code: number): void;
  accept(): void;
  close(): Promise<void>;
}

/** An SMTP server on the loopback that keeps what it gets. */
export async function fakeSmtp(): Promise<FakeSmtp> {
  const mails: ParsedMail[] = [];
  let refusal: number | undefined;
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onRcptTo: (_address, _session, done) => {
      if (refusal === undefined) return done();
      done(Object.assign(new Error('refused'), { responseCode: refusal }));
    },
    onData: (stream, _session, done) => {
      simpleParser(stream).then(
        (mail) => {
          mails.push(mail);
          done();
        },
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      );
    },
  });
  server.on('error', () => undefined); // a client that hangs up in a test is no news
  const listener = server.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    mails,
    refuse: (code) => {
      refusal = code;
    },
    accept: () => {
      refusal = undefined;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
