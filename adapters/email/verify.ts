import { hash } from 'node:crypto';
import { dkimVerify, dmarc, type DKIMResult, type DNSResolver } from 'mailauth';
import { MINUTE } from '../../src/domain/clock.ts';
import { ownTag, recipients, splitAddress, strictMailbox } from './address.ts';
import { messageIds, splitMail, type Headers } from './header.ts';

export interface ProofOptions {
  /** Our own address; it has to stand in the signed To or Cc. */
  readonly botAddress: string;
  readonly resolver: DNSResolver;
  readonly now: Date;
  /** Milliseconds that Date may lie in the past. It may lie ten minutes ahead. */
  readonly maxAge: number;
}

/** A sender whose domain signed this very mail to us. */
export interface Proof {
  readonly kind: 'proven';
  /** In lower case. */
  readonly address: string;
  readonly messageId: string;
  /** SHA-256 over the body without white space: the same for all that DKIM takes for the same body. */
  readonly bodyHash: string;
  /** The header fields, in lower case, that every signature this rests on covers. Nobody vouches for the others. */
  readonly signed: ReadonlySet<string>;
}

/** `later`: the DNS did not answer, so nothing is known yet. `refused`: it will never be proven. */
export interface Unproven {
  readonly kind: 'refused' | 'later';
  readonly reason: Reason;
}

export type Reason =
  | 'malformed'
  | 'no_single_sender'
  | 'duplicate_header'
  | 'no_message_id'
  | 'not_fresh'
  | 'not_addressed'
  | 'too_many_signatures'
  | 'not_signed'
  | 'partly_signed'
  | 'header_not_signed'
  | 'dmarc'
  | 'dns';

/** Fields that decide what a mail says; a second one of any means that two readers may disagree. */
const SINGLE = [
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'subject',
  'date',
  'message-id',
  'in-reply-to',
  'references',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
];
/** What the signature has to cover where it is there; To or Cc, whichever names us, comes on top. */
const SIGNED = ['from', 'subject', 'date', 'message-id'];
const MAX_SIGNATURES = 8; // each may cost a DNS query
const MAX_AHEAD = 10 * MINUTE;

/**
 * Proves who sent a raw mail, by DKIM and DMARC (RFC 6376, RFC 9989) alone: what SPF says about the last hop means
 * nothing in a mailbox. The verifier and every later reader must see the same one sender, a passing signature aligned
 * with it must cover the whole body and the fields that matter, and a DNS that fails never proves anything.
 */
export async function proveSender(raw: Buffer, options: ProofOptions): Promise<Proof | Unproven> {
  const mail = splitMail(raw);
  if (!mail) return refused('malformed');
  const { headers, body } = mail;

  const from = headers.all('from');
  const address = from.length === 1 ? strictMailbox(from[0] ?? '') : undefined;
  if (address === undefined) return refused('no_single_sender');
  if (SINGLE.some((name) => headers.all(name).length > 1)) return refused('duplicate_header');
  const [messageId, ...more] = messageIds(headers.one('message-id'));
  if (messageId === undefined || more.length > 0) return refused('no_message_id');
  if (!isFresh(headers.one('date'), options)) return refused('not_fresh');
  const addressed = ['to', 'cc'].filter((name) =>
    recipients(headers.all(name)).some((to) => ownTag(to, options.botAddress) !== undefined),
  );
  if (addressed.length === 0) return refused('not_addressed');
  if (headers.all('dkim-signature').length > MAX_SIGNATURES) return refused('too_many_signatures');

  const signed = await checkSignatures(raw, address, headers, addressed, options);
  if ('kind' in signed) return signed;
  const bodyHash = hash('sha256', body.toString('latin1').replace(/[ \t\r\n]+/g, ''), 'hex');
  return { kind: 'proven', address, messageId, bodyHash, signed };
}

async function checkSignatures(
  raw: Buffer,
  address: string,
  headers: Headers,
  addressed: readonly string[],
  { resolver, now }: ProofOptions,
): Promise<Unproven | ReadonlySet<string>> {
  const [, domain] = splitAddress(address);
  const dkim = await dkimVerify(raw, {
    resolver: within(domain, resolver),
    curTime: now,
    rejectRsaSha1: true,
  });
  if (
    dkim.fromFields !== 1 ||
    dkim.headerFrom.length !== 1 ||
    dkim.headerFrom[0]?.toLowerCase() !== address
  ) {
    return refused('no_single_sender');
  }
  const passed = dkim.results.filter((result) => result.status.result === 'pass' && !result.status.testing);
  const whole = passed.filter((result) => !result.status.underSized);
  const covering = whole.filter((result) => covers(result, headers, addressed));
  if (covering.length === 0) {
    if (dkim.results.some((result) => result.status.result.startsWith('temperr'))) return later;
    return refused(
      passed.length === 0 ? 'not_signed' : whole.length === 0 ? 'partly_signed' : 'header_not_signed',
    );
  }

  // Only the signatures that are good enough are shown to DMARC, and no SPF at all: its pass is then an aligned one.
  const verdict = await dmarc({
    headerFrom: dkim.headerFrom,
    fromFields: dkim.fromFields,
    spfDomains: [],
    dkimDomains: covering.map((result) => ({ id: result.id ?? '', domain: result.signingDomain ?? '' })),
    resolver,
  });
  if (!verdict) return refused('dmarc');
  if (verdict.status.result.startsWith('temperr')) return later;
  // `domain` of the verdict is the organization's; the one that was judged has to be the one that is trusted.
  const judged: unknown = verdict.status.header?.['from'];
  const same = String(judged).toLowerCase() === domain && `.${domain}`.endsWith(`.${verdict.domain}`);
  if (verdict.status.result !== 'pass' || !same) return refused('dmarc');
  // DMARC tells that one of them is aligned, not which.
  const [first = new Set<string>(), ...others] = covering.map(fieldsOf);
  return new Set([...first].filter((name) => others.every((fields) => fields.has(name))));
}

/** A signature of another domain aligns with nothing, so nobody can make us ask the DNS for its key. */
function within(domain: string, resolver: DNSResolver): DNSResolver {
  const family = `.${domain.split('.').slice(-2).join('.')}`;
  return async (name, type) => {
    if (name.toLowerCase().endsWith(family)) return resolver(name, type);
    throw Object.assign(new Error('not asked'), { code: 'ENOTFOUND' });
  };
}

const fieldsOf = (result: DKIMResult): Set<string> =>
  new Set(result.signingHeaders?.keys.toLowerCase().split(/\s*:\s*/));

function covers(result: DKIMResult, headers: Headers, addressed: readonly string[]): boolean {
  const signed = fieldsOf(result);
  const present = SIGNED.filter((name) => headers.one(name) !== undefined);
  return present.every((name) => signed.has(name)) && addressed.some((name) => signed.has(name));
}

function isFresh(date: string | undefined, { now, maxAge }: ProofOptions): boolean {
  const at = Date.parse(date ?? '');
  return at >= now.getTime() - maxAge && at <= now.getTime() + MAX_AHEAD; // false for NaN
}

const refused = (reason: Reason): Unproven => ({ kind: 'refused', reason });
const later: Unproven = { kind: 'later', reason: 'dns' };
