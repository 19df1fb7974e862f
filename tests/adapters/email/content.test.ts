import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { createIntake } from '../../../adapters/email/intake.ts';
import type { Inbound } from '../../../src/core/message.ts';
import { systemClock } from '../../../src/domain/clock.ts';
import { MailDomain, rawMail, Zone } from '../../fakes/mail.ts';

/** What a signature of many services covers: neither Content-Type nor Content-Transfer-Encoding. */
const OPEN = 'from:to:subject:date:message-id:mime-version';

const zone = new Zone();
const good = new MailDomain('good.test', zone);

let received: Inbound[];
let explained: string[];
let dropped: string[];
beforeEach(() => {
  received = [];
  explained = [];
  dropped = [];
});

const intake = createIntake(
  {
    workspace: 'main',
    imap: { host: 'localhost', port: 1, secure: true, user: 'bot', pass: 'not-a-real-password' },
    smtp: { host: 'localhost', port: 1, secure: true },
    address: 'bot@example.test',
    resolver: zone.resolve,
    pollInterval: 1_000,
    receive: async (message) => {
      received.push(message);
      return { id: '1', status: 'ok', reply: { text: 'done' }, correlationId: '1' };
    },
    clock: systemClock,
    log: pino({ level: 'silent' }),
    cursor: { load: async () => undefined, save: async () => undefined },
    dropped: (reason) => dropped.push(reason),
    perHour: 1_000,
  },
  {
    send: async (_to, { reply }) => {
      explained.push(reply.text);
      return { externalId: '1' };
    },
  },
);

let uid = 0;
async function take(
  fields: Parameters<typeof rawMail>[0],
  body: string,
  { sign = OPEN, carry = (raw: string) => raw } = {},
): Promise<unknown[]> {
  const raw = await good.sign(rawMail(fields, body.replace(/\n/g, '\r\n')), { fields: sign });
  uid += 1;
  await intake(Buffer.from(carry(raw.toString('latin1')), 'latin1'), uid);
  return received.map((message) => message.body);
}
const retyped = (type: string) => (raw: string) =>
  raw.replace(/^Content-Type: .*$/m, `Content-Type: ${type}`);
const added = (field: string) => (raw: string) => `${field}\r\n${raw}`;
const removed = (name: string) => (raw: string) => raw.replace(new RegExp(`^${name}: .*\\r\\n`, 'm'), '');
const outcome = () => [received, dropped.at(-1)];
const REFUSED = [[], 'content_not_signed'];

const multipart = (boundary: string) => ({ 'Content-Type': `multipart/alternative; boundary="${boundary}"` });
const TWO = [
  '--outer',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'task create B=C3=A4r',
  '--outer',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<p>task create B&auml;r</p>',
  '--outer--',
  '',
].join('\n');
/** Ana asks the bot to list tasks and attaches a mail of Mallory. */
const ATTACHED = [
  '--outer',
  'Content-Type: text/plain',
  '',
  'task list',
  '--outer',
  'Content-Type: message/rfc822',
  '',
  'From: mallory@evil.test',
  'Content-Type: multipart/mixed; boundary=inner',
  '',
  '--inner',
  'Content-Type: text/plain',
  '',
  'key create mallory',
  '--inner--',
  '',
  '--outer--',
  '',
].join('\n');

describe('with an open Content-Type', () => {
  test('a mail of two alternatives is read by the boundary that its body has', async () => {
    expect(await take(multipart('outer'), TWO)).toEqual([{ text: 'task create Bär' }]);
    expect(await take(multipart('outer'), `\n${TWO}\n`)).toHaveLength(2);
  });

  test('another boundary brings no attached mail to run', async () => {
    const honest = [{ text: 'task list' }];
    expect(await take(multipart('outer'), ATTACHED)).toEqual(honest);
    const carry = retyped('multipart/mixed; boundary=inner');
    expect(await take(multipart('outer'), ATTACHED, { carry })).toEqual([...honest, ...honest]);
  });

  test.each(['digest', 'report', 'x-any'])('multipart/%s in its place changes nothing', async (kind) => {
    const carry = retyped(`multipart/${kind}; boundary=outer`);
    const read = await take(multipart('outer'), ATTACHED, { carry });
    expect(read).toEqual(kind === 'report' ? [] : [{ text: 'task list' }]); // a report is a bounce
  });

  test('a preamble or an epilogue, behind which another boundary may be meant, is refused', async () => {
    await take(multipart('outer'), `This is a mail of many parts.\n${TWO}`);
    expect(outcome()).toEqual(REFUSED);
    await take(multipart('outer'), `${TWO}bye\n`);
    expect(outcome()).toEqual(REFUSED);
    expect(explained).toHaveLength(2);
  });

  test.each(['text/html', 'text/plain', 'image/png', 'message/rfc822', 'text/plain; charset=utf-16'])(
    'parts that are called %s are refused',
    async (type) => {
      await take({ ...multipart('outer'), Subject: 'key create x' }, TWO, { carry: retyped(type) });
      expect(outcome()).toEqual(REFUSED);
    },
  );

  test.each(['image/png', 'text/html', 'message/rfc822', 'multipart/mixed; boundary=x', 'nonsense'])(
    'text that is called %s is refused, and its subject not run',
    async (type) => {
      await take({ Subject: 'key create x' }, 'task list\n', { carry: retyped(type) });
      expect(outcome()).toEqual(REFUSED);
    },
  );

  test.each(['utf-16le', 'utf-7', 'iso-2022-kr', 'x-none'])(
    'text stays text in charset=%s',
    async (charset) => {
      const carry = retyped(`text/plain; charset=${charset}`);
      expect(await take({}, 'task create +AGoAbw-\n', { carry })).toEqual([{ text: 'task create +AGoAbw-' }]);
    },
  );

  test('text is read in UTF-8 without one', async () => {
    expect(await take({}, 'task create Bär\n', { carry: removed('Content-Type') })).toEqual([
      { text: 'task create Bär' },
    ]);
  });

  test('a signature and wrapped quotations do no harm', async () => {
    const fields = { 'Content-Transfer-Encoding': 'quoted-printable' };
    const sign = `${OPEN}:content-transfer-encoding`;
    const body = 'task create B=C3=A4r\n\n> quoted=20\n> text\n--=20\nAna\n';
    expect(await take(fields, body, { sign })).toEqual([{ text: 'task create Bär' }]);
    expect(await take({}, 'task list\n\n> quoted \n> text\n-- \nAna\n')).toHaveLength(2);
  });

  test('neither HTML nor wrapped lines run as text', async () => {
    await take({}, 'job run deploy \n--dry-run\n', { carry: retyped('text/plain; format=flowed') });
    expect(outcome()).toEqual(REFUSED);
    await take({ 'Content-Type': 'text/html' }, '\n<!--\njob run deploy -->\n', {
      carry: removed('Content-Type'),
    });
    expect(outcome()).toEqual(REFUSED);
  });

  test('nor does wrapped text that is signed as base64', async () => {
    const fields = { 'Content-Transfer-Encoding': 'base64' };
    const sign = `${OPEN}:content-transfer-encoding`;
    const base64 = (text: string) => `${Buffer.from(text).toString('base64')}\n`;
    expect(await take(fields, base64('task create Bär\r\n'), { sign })).toEqual([
      { text: 'task create Bär' },
    ]);
    received = [];
    await take(fields, base64('job run deploy \r\n--dry-run\r\n'), { sign });
    expect(outcome()).toEqual(REFUSED);
  });
});

describe('with an open Content-Transfer-Encoding', () => {
  const sign = `${OPEN}:content-type`;

  test('base64 that was added is refused', async () => {
    const carry = added('Content-Transfer-Encoding: base64');
    await take({}, `${Buffer.from('key create x').toString('base64')}\n`, { sign, carry });
    expect(outcome()).toEqual(REFUSED);
    await take({}, 'task list\n', { carry });
    expect(outcome()).toEqual(REFUSED);
  });

  test('quoted-printable counts only where it says the same', async () => {
    const carry = added('Content-Transfer-Encoding: quoted-printable');
    expect(await take({}, 'task list\n', { sign, carry })).toEqual([{ text: 'task list' }]);
    received = [];
    for (const body of ['task create =41\n', 'task create a=\nb\n', 'task list\n\n> x=0a']) {
      await take({}, body, { sign, carry });
      expect(outcome()).toEqual(REFUSED);
      await take({}, body, { sign });
      expect(outcome()).toEqual(REFUSED);
    }
  });

  test('one on top of the parts changes nothing', async () => {
    for (const encoding of ['base64', 'quoted-printable']) {
      const carry = added(`Content-Transfer-Encoding: ${encoding}`);
      expect((await take(multipart('outer'), ATTACHED, { sign, carry })).at(-1)).toEqual({
        text: 'task list',
      });
    }
  });

  test('a Content-Disposition that hides the text is refused', async () => {
    const carry = added('Content-Disposition: attachment; filename=x.txt');
    await take({ Subject: 'key create x' }, 'task list\n', { sign, carry });
    expect(outcome()).toEqual(REFUSED);
  });
});

test('what is signed is believed', async () => {
  const sign = `${OPEN}:content-type:content-transfer-encoding`;
  const latin1 = {
    'Content-Type': 'text/plain; charset=iso-8859-1',
    'Content-Transfer-Encoding': 'quoted-printable',
  };
  expect(await take(latin1, 'task create B=E4r\n', { sign })).toEqual([{ text: 'task create Bär' }]);
  const preamble = `Many parts.\n${TWO}bye\n`;
  expect(await take(multipart('outer'), preamble, { sign })).toHaveLength(2);
});
