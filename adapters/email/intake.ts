import { Resolver } from 'node:dns/promises';
import type { DNSResolver } from 'mailauth';
import type { Notifier } from '../../src/core/adapter.ts';
import { verified, type Address, type Inbound } from '../../src/core/message.ts';
import { DAY, SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { ownTag, recipients, strictMailbox } from './address.ts';
import { automatic } from './automatic.ts';
import { hourlyCap } from './cap.ts';
import { decodeSigned, threadOf, type Decoded } from './decode.ts';
import { splitMail, type Headers } from './header.ts';
import type { EmailOptions } from './options.ts';
import { plainSubject } from './render.ts';
import { isVacation } from './subject.ts';
import { proveSender, type Proof, type Unproven } from './verify.ts';

/** A mail whose Date is older is refused; so is a mail that the DNS kept us from proving for that long. */
export const MAX_AGE = DAY;
/** Per sender and hour. The first bounds a loop with a program that does not say that it is one. */
const MAX_TAKEN = 60;
const MAX_EXPLAINED = 5;

/** `settled`: never to be looked at again. `later`: nothing was done, and a repeat may go better. */
export type Settled = 'settled' | 'later';
export type Intake = (raw: Buffer, uid: number) => Promise<Settled>;

/** Takes one raw mail all the way: automatic? proven? asks for what? → received. Mail that is not proven gets no answer. */
export function createIntake(options: EmailOptions, notifier: Notifier): Intake {
  const { address, clock, log } = options;
  const resolver = options.resolver ?? systemResolver();
  const room = hourlyCap(clock, options.perHour ?? MAX_TAKEN);
  // Explanations go around the pipeline and its limits, so they have one of their own.
  const roomToExplain = hourlyCap(clock, MAX_EXPLAINED);

  const drop = (uid: number, reason: string): Settled => {
    log.warn({ uid, reason }, 'a mail was not run');
    options.dropped?.(reason);
    return 'settled';
  };

  return async (raw, uid) => {
    const mail = splitMail(raw);
    if (!mail) return drop(uid, 'malformed');
    const { headers } = mail;
    const robot = automatic(headers, strictMailbox(headers.one('from') ?? ''), address);
    if (robot !== undefined) return drop(uid, robot);
    const now = clock.now();
    const proof = await proveSender(raw, { botAddress: address, resolver, now, maxAge: MAX_AGE }).catch(
      (err: unknown): Unproven => {
        // A mail that breaks its reader breaks it again at every try.
        log.warn({ err, uid }, 'the verifier gave up on a mail');
        return { kind: 'refused', reason: 'malformed' };
      },
    );
    if (proof.kind !== 'proven') {
      if (proof.kind === 'refused') return drop(uid, proof.reason);
      log.warn({ uid }, 'the DNS did not answer; a mail waits');
      return 'later';
    }

    const left = room(proof.address, uid);
    if (left === 'over')
      log.warn({ sender: proof.address }, 'too many mails; the rest of this hour is dropped');
    if (left !== 'within') {
      options.dropped?.('too_many');
      return 'settled';
    }
    const decoded = await decodeSigned(mail, proof.signed);
    if (isVacation(decoded.subject)) return drop(uid, 'auto_reply');
    const message = inbound(options, headers, proof, decoded);
    if (decoded.kind === 'run') return settle(await options.receive({ ...message, body: decoded.body }));
    drop(uid, decoded.why === 'unsigned' ? 'content_not_signed' : 'not_understood');
    const may = roomToExplain(proof.address, uid) === 'within';
    return may ? explain(notifier, message, decoded.text) : 'settled';
  };
}

/** An outage on our side is no answer: the mail waits. Every other answer is durable, or was told (a rate limit). */
function settle(answer: { error?: { code: string } }): Settled {
  return answer.error?.code === 'unavailable' || answer.error?.code === 'internal' ? 'later' : 'settled';
}

type Envelope = Omit<Inbound, 'body'> & { readonly dedupeKey: string; readonly replyTo: Address };

function inbound(options: EmailOptions, headers: Headers, proof: Proof, decoded: Decoded): Envelope {
  const { root, references } = threadOf(headers, proof.messageId);
  const subject = plainSubject(decoded.subject);
  const token = tokenOf(headers, options.address);
  return {
    channel: 'email',
    from: verified({
      workspace: options.workspace,
      channel: 'email',
      subject: proof.address,
      assurance: 'dkim',
      scopes: ['*'],
    }),
    dedupeKey: `email:${proof.messageId}:${proof.bodyHash}`,
    conversation: root,
    replyTo: {
      channel: 'email',
      to: proof.address,
      thread: proof.messageId,
      context: { subject, references },
    },
    ...(token !== undefined && { proof: token }),
  };
}

/** The tag of the plus address that an approval mail asked its answer to be sent to. */
function tokenOf(headers: Headers, own: string): string | undefined {
  const addresses = ['to', 'cc', 'delivered-to'].flatMap((name) => recipients(headers.all(name)));
  return addresses.map((address) => ownTag(address, own)).find((tag) => tag !== undefined && tag !== '');
}

async function explain(notifier: Notifier, message: Envelope, text: string): Promise<Settled> {
  try {
    await notifier.send(message.replyTo, { key: `explain:${message.dedupeKey}`, reply: { text } });
  } catch (error) {
    if (!(error instanceof Refusal)) return 'later';
  }
  return 'settled';
}

function systemResolver(): DNSResolver {
  const dns = new Resolver({ timeout: 3 * SECOND, tries: 2 });
  return (name, type) => dns.resolve(name, type) as Promise<string[][]>;
}
