import { Resolver } from 'node:dns/promises';
import type { DNSResolver } from 'mailauth';
import type { Notifier } from '../../src/core/adapter.ts';
import { verified, type Address, type Inbound } from '../../src/core/message.ts';
import { DAY, HOUR, SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { ownTag, recipients, strictMailbox } from './address.ts';
import { automatic } from './automatic.ts';
import { decode, threadOf, type Decoded } from './decode.ts';
import { splitMail, type Headers } from './header.ts';
import type { EmailOptions } from './options.ts';
import { plainSubject } from './render.ts';
import { proveSender, type Proof } from './verify.ts';

/** A mail whose Date is older is refused; so is a mail that the DNS kept us from proving for that long. */
export const MAX_AGE = DAY;
const MAX_EXPLAINED = 5; // per sender and hour

/** `settled`: never to be looked at again. `later`: nothing was done, and a repeat may go better. */
export type Settled = 'settled' | 'later';
export type Intake = (raw: Buffer, uid: number) => Promise<Settled>;

/** Takes one raw mail all the way: automatic? proven? asks for what? → received. Mail that is not proven gets no answer. */
export function createIntake(options: EmailOptions, notifier: Notifier): Intake {
  const { address, clock, log } = options;
  const resolver = options.resolver ?? systemResolver();
  const mayExplain = explainCap(() => clock.now().getTime());

  const drop = (uid: number, reason: string): Settled => {
    log.warn({ uid, reason }, 'a mail was not run');
    options.dropped?.(reason);
    return 'settled';
  };

  return async (raw, uid) => {
    const headers = splitMail(raw)?.headers;
    if (!headers) return drop(uid, 'malformed');
    const robot = automatic(headers, strictMailbox(headers.one('from') ?? ''), address);
    if (robot !== undefined) return drop(uid, robot);
    const proof = await proveSender(raw, {
      botAddress: address,
      resolver,
      now: clock.now(),
      maxAge: MAX_AGE,
    });
    if (proof.kind !== 'proven') {
      if (proof.kind === 'refused') return drop(uid, proof.reason);
      log.warn({ uid }, 'the DNS did not answer; a mail waits');
      return 'later';
    }

    const decoded = await decode(raw);
    const message = inbound(options, headers, proof, decoded);
    if (decoded.kind === 'run') return settle(await options.receive({ ...message, body: decoded.body }));
    drop(uid, 'not_understood');
    return mayExplain(proof.address) ? explain(notifier, message, decoded.text) : 'settled';
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

/** Explanations go around the pipeline and its limits, so they have one of their own. */
function explainCap(now: () => number): (address: string) => boolean {
  let hour = 0;
  let sent = new Map<string, number>();
  return (address) => {
    const current = Math.floor(now() / HOUR);
    if (current !== hour) sent = new Map();
    hour = current;
    const count = sent.get(address) ?? 0;
    sent.set(address, count + 1);
    return count < MAX_EXPLAINED;
  };
}

function systemResolver(): DNSResolver {
  const dns = new Resolver({ timeout: 3 * SECOND, tries: 2 });
  return (name, type) => dns.resolve(name, type) as Promise<string[][]>;
}
