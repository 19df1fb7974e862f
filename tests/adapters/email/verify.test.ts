import { describe, expect, test } from 'vitest';
import { proveSender } from '../../../adapters/email/verify.ts';
import { DAY, HOUR, MINUTE } from '../../../src/domain/clock.ts';
import { MailDomain, rawMail, Zone, type SignOptions } from '../../fakes/mail.ts';

const zone = new Zone();
const good = new MailDomain('good.test', zone);
const mail = new MailDomain('mail.good.test', zone, { dmarc: '' });
const evil = new MailDomain('evil.test', zone);

function prove(raw: Buffer | string, options: Partial<Parameters<typeof proveSender>[1]> = {}) {
  return proveSender(Buffer.from(raw), {
    botAddress: 'bot@example.test',
    resolver: zone.resolve,
    now: new Date(),
    maxAge: DAY,
    ...options,
  });
}

const signed = async (
  fields: Parameters<typeof rawMail>[0] = {},
  options: SignOptions & { by?: MailDomain; body?: string } = {},
) => (options.by ?? good).sign(rawMail(fields, options.body), options);

const refused = (reason: string) => ({ kind: 'refused', reason });

describe('a mail that is proven', () => {
  test('gives the address in lower case, the message id and a hash of the body', async () => {
    const proof = await prove(await signed({ From: 'Ana <Ana@Good.test>', 'Message-ID': '<one@good.test>' }));
    expect(proof).toEqual({
      kind: 'proven',
      address: 'ana@good.test',
      messageId: '<one@good.test>',
      bodyHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      signed: new Set(['from', 'to', 'subject', 'date', 'message-id', 'mime-version', 'content-type']),
    });
  });

  test.each([
    ['a bare address', { From: 'ana@good.test' }],
    ['a quoted display name', { From: '"Doe, Ana" <ana@good.test>' }],
    ['an encoded display name', { From: '=?utf-8?q?An=C3=A1?= <ana@good.test>' }],
    ['folded fields', { From: 'Ana\r\n <ana@good.test>' }],
    ['the bot in Cc', { To: 'bob@good.test', Cc: 'Bot <BOT@example.test>' }],
    ['the bot under a plus address', { To: 'bot+t0ken@example.test' }],
    ['a subdomain under the policy of its parent', { From: 'ana@dev.good.test' }],
  ])('with %s', async (_name, fields) => {
    expect(await prove(await signed(fields))).toMatchObject({ kind: 'proven' });
  });

  test('signed by a subdomain of the sender', async () => {
    expect(await prove(await signed({}, { by: mail }))).toMatchObject({ kind: 'proven' });
  });

  test('vouches for the fields that all of its signatures cover', async () => {
    const fields = 'from:to:subject:date:message-id';
    const neighbour = await mail.sign(await signed({}, { fields }));
    expect(await prove(neighbour)).toMatchObject({ signed: new Set(fields.split(':')) });
  });

  test('also when a second signature is foreign or broken', async () => {
    expect(await prove(await evil.sign(await signed()))).toMatchObject({ kind: 'proven' });
  });

  test('has the same hash when white space changed that the signature does not see', async () => {
    const raw = (await signed({ 'Message-ID': '<w@good.test>' }, { body: 'task list\r\n' })).toString();
    const before = await prove(raw);
    const after = await prove(raw.replace('task list\r\n', 'task \t list  \r\n\r\n\r\n'));
    expect(after).toEqual(before);
    expect(after).toMatchObject({ kind: 'proven' });
  });
});

describe('a sender that parsers read differently is refused:', () => {
  test.each([
    ['an encoded word in the address', '<=?utf-8?q?ana?=@good.test>'],
    ['quotes in the local part', '"admin@good.test"@evil.test'],
    ['two at signs', 'admin@good.test@evil.test'],
    ['two mailboxes', 'ana@good.test, mallory@evil.test'],
    ['a group', 'team: ana@good.test;'],
    ['a comment', 'ana@good.test (mallory@evil.test)'],
    ['no ASCII', 'aná@good.test'],
    ['a domain literal', 'ana@[127.0.0.1]'],
    ['a source route', '<@evil.test:ana@good.test>'],
    ['an escaped quote in the name', '"Ana\\" <x@evil.test>" <ana@good.test>'],
    ['nothing', ''],
  ])('%s', async (_name, From) => {
    const both = await good.sign(await evil.sign(rawMail({ From })).catch(() => rawMail({ From })));
    expect(await prove(both)).toEqual(refused('no_single_sender'));
  });

  test('never by a name that looks like an address', async () => {
    for (const name of ['=?utf-8?q?ana=40good.test?=', '"ana@good.test"']) {
      const proof = await prove(await signed({ From: `${name} <mallory@evil.test>` }, { by: evil }));
      expect(proof).toMatchObject({ kind: 'proven', address: 'mallory@evil.test' });
    }
  });

  test('a NUL in a header', async () => {
    expect(await prove(await signed({ From: 'ana@good.test\0@evil.test' }))).toEqual(refused('malformed'));
  });

  test('a bare line feed that starts a field for some', async () => {
    expect(await prove(await signed({ Subject: 'x\nFrom: mallory@evil.test' }))).toEqual(
      refused('malformed'),
    );
  });

  test('two From fields, whichever comes first', async () => {
    const From = ['ana@good.test', 'mallory@evil.test'];
    expect(await prove(await signed({ From }))).toEqual(refused('no_single_sender'));
    expect(await prove(await evil.sign(rawMail({ From: From.toReversed() })))).toEqual(
      refused('no_single_sender'),
    );
  });

  test.each(['To', 'Subject', 'Date', 'Content-Type', 'Message-ID', 'In-Reply-To'])(
    'a second %s put on top of a signed mail',
    async (name) => {
      const value = { To: 'bot@example.test', Date: new Date().toUTCString() }[name] ?? '<b@good.test>';
      const raw = await signed({ 'In-Reply-To': '<a@good.test>' });
      expect(await prove(`${name}: ${value}\r\n${raw.toString()}`)).toEqual(refused('duplicate_header'));
    },
  );
});

describe('a signature that does not prove this mail is refused:', () => {
  test('none', async () => {
    expect(await prove(rawMail())).toEqual(refused('not_signed'));
  });

  test('one of a foreign domain, whose key is not even asked for', async () => {
    zone.asked.length = 0;
    expect(await prove(await signed({}, { by: evil }))).toEqual(refused('not_signed'));
    expect(zone.asked).toEqual([]);
  });

  test('one of a neighbour under the same top', async () => {
    const [ours, theirs] = [new MailDomain('ours.co.test', zone), new MailDomain('theirs.co.test', zone)];
    const raw = rawMail({ From: 'a@ours.co.test' });
    expect(await prove(await theirs.sign(raw))).toEqual(refused('dmarc'));
    expect(await prove(await ours.sign(raw))).toMatchObject({ kind: 'proven' });
  });

  test('one over another body', async () => {
    const raw = (await signed()).toString().replace('task list', 'task done');
    expect(await prove(raw)).toEqual(refused('not_signed'));
  });

  test('one over another sender', async () => {
    const raw = (await signed()).toString().replace('ana@good.test', 'bob@good.test');
    expect(await prove(raw)).toEqual(refused('not_signed'));
  });

  test('one that leaves the end of the body open (l=)', async () => {
    const raw = await signed({}, { bodyLength: 11, body: 'task list\r\n' });
    expect(await prove(raw)).toMatchObject({ kind: 'proven' });
    expect(await prove(Buffer.concat([raw, Buffer.from('key create\r\n')]))).toEqual(
      refused('partly_signed'),
    );
  });

  test.each(['subject', 'date', 'message-id', 'to'])('one that leaves %s open', async (name) => {
    const fields = ['from', 'to', 'subject', 'date', 'message-id']
      .filter((field) => field !== name)
      .join(':');
    expect(await prove(await signed({}, { fields }))).toEqual(refused('header_not_signed'));
  });

  test('one with the bot named in the open Cc only', async () => {
    const raw = await signed({ To: 'bob@good.test' }, { fields: 'from:to:subject:date:message-id' });
    expect(await prove(`Cc: bot@example.test\r\n${raw.toString()}`)).toEqual(refused('header_not_signed'));
  });

  test('one whose key is a test (t=y)', async () => {
    const testing = new MailDomain('testing.test', zone, { flags: 't=y; ' });
    expect(await prove(await testing.sign(rawMail({ From: 'a@testing.test' })))).toEqual(
      refused('not_signed'),
    );
  });

  test('one of a domain without a DMARC policy, whatever SPF says', async () => {
    const open = new MailDomain('open.test', zone, { dmarc: '' });
    zone.records.set('open.test', 'v=spf1 +all');
    const raw = await open.sign(rawMail({ From: 'a@open.test' }));
    expect(await prove(`Received-SPF: pass\r\n${raw.toString()}`)).toEqual(refused('dmarc'));
  });

  test('one of a subdomain where the policy asks for the domain itself', async () => {
    const strict = new MailDomain('strict.test', zone, { dmarc: 'v=DMARC1; p=none; adkim=s' });
    const below = new MailDomain('sub.strict.test', zone, { dmarc: '' });
    const raw = rawMail({ From: 'a@strict.test' });
    expect(await prove(await below.sign(raw))).toEqual(refused('dmarc'));
    expect(await prove(await strict.sign(raw))).toMatchObject({ kind: 'proven' });
  });

  test('more of them than anybody needs, before any is looked up', async () => {
    const raw = await signed();
    const line = 'DKIM-Signature: v=1; a=rsa-sha256; d=evil.test; s=x; h=from; bh=x; b=x\r\n';
    zone.asked.length = 0;
    expect(await prove(line.repeat(8) + raw.toString())).toEqual(refused('too_many_signatures'));
    expect(zone.asked).toEqual([]);
  });
});

describe('a mail that is not for us now is refused:', () => {
  test('one that is signed for somebody else', async () => {
    expect(await prove(await signed({ To: 'bob@good.test' }))).toEqual(refused('not_addressed'));
    expect(await prove(await signed({ To: '"bot@example.test" <bob@good.test>' }))).toEqual(
      refused('not_addressed'),
    );
    expect(await prove(await signed({ To: 'robot@example.test' }))).toEqual(refused('not_addressed'));
  });

  test.each([
    ['older than allowed', -(DAY + MINUTE), 'not_fresh'],
    ['from the far future', HOUR, 'not_fresh'],
  ])('one %s', async (_name, shift, reason) => {
    const raw = await signed({ Date: new Date(Date.now() + shift).toUTCString() });
    expect(await prove(raw)).toEqual(refused(reason));
  });

  test('one without a Date, with one that is none, without a Message-ID', async () => {
    expect(await prove(await signed({ Date: undefined }))).toEqual(refused('not_fresh'));
    expect(await prove(await signed({ Date: 'yesterday' }))).toEqual(refused('not_fresh'));
    expect(await prove(await signed({ 'Message-ID': undefined }))).toEqual(refused('no_message_id'));
  });
});

describe('a DNS that does not answer never proves and never refuses:', () => {
  test.each(['s1._domainkey.shaky.test', '_dmarc.shaky.test'])('%s', async (name) => {
    const shaky = new MailDomain('shaky.test', zone);
    const raw = await shaky.sign(rawMail({ From: 'a@shaky.test' }));
    zone.broken.add(name);
    expect(await prove(raw)).toEqual({ kind: 'later', reason: 'dns' });
    zone.broken.delete(name);
    expect(await prove(raw)).toMatchObject({ kind: 'proven' });
  });
});
