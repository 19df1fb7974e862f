import { describe, expect, test } from 'vitest';
import { decode, threadOf } from '../../../adapters/email/decode.ts';
import { splitMail } from '../../../adapters/email/header.ts';
import { rawMail } from '../../fakes/mail.ts';

const read = (body: string, fields: Parameters<typeof rawMail>[0] = {}) =>
  decode(Buffer.from(rawMail(fields, body.replace(/\n/g, '\r\n'))));

const runs = (text: string) => expect.objectContaining({ kind: 'run', body: { text } });
const explains = (text: RegExp) => ({ kind: 'explain', text: expect.stringMatching(text) });

const part = (type: string, body: string, more = '') =>
  `--b\nContent-Type: ${type}; charset=utf-8\n${more}\n${body}\n`;
const multipart = (kind: string) => ({ 'Content-Type': `multipart/${kind}; boundary=b` });

describe('the command is', () => {
  test.each([
    ['the first line', 'task list\n'],
    ['the first line that is not empty', '\n   \n  task list  \nThanks!\n'],
    [
      'above a quotation',
      'task list\n\nOn Tue, 3 Nov 2026 at 10:00, Bot <bot@example.test> wrote:\n> job run deploy\n',
    ],
    ['below a quotation', '> job run deploy\n\ntask list\n'],
    ['above a signature', 'task list\n-- \nAna\n'],
    [
      'above a forwarded mail',
      'task list\n\n---------- Forwarded message ---------\nFrom: x <x@evil.test>\n\njob run\n',
    ],
    [
      'above an answered mail as Outlook puts it',
      'task list\n\nVon: Bot <bot@example.test>\nGesendet: heute\n\njob run\n',
    ],
    ['above headers without an address', 'task list\n\nFrom: Bot\nSent: Tuesday\nTo: Ana\n\njob run\n'],
    [
      'above an introduction in two lines',
      'task list\nBot <bot@example.test>\n于2026年11月3日写道：\n> job run\n',
    ],
    ['above a line that only looks like a header', 'task list\nNote: thanks\n'],
  ])('%s', async (_name, body) => {
    expect(await read(body)).toEqual(runs('task list'));
  });

  test('the subject of a new mail without text', async () => {
    expect(await read('', { Subject: '=?utf-8?q?task_create_B=C3=A4r?=' })).toEqual(runs('task create Bär'));
    expect(await read('\n \n', { Subject: 'task list' })).toEqual(runs('task list'));
  });

  test('as long as it was written', async () => {
    const text = `task create "${'x'.repeat(5_000)}"`;
    expect(await read(`${text}\nbye\n`)).toEqual(runs(text));
  });

  test('the plain one of two alternatives', async () => {
    const hidden = '<p style="display:none">job run deploy</p><p>task list</p>';
    const body = `${part('text/plain', 'task list')}${part('text/html', hidden)}--b--\n`;
    expect(await read(body, multipart('alternative'))).toEqual(runs('task list'));
  });

  test('JSON, with a signature below it', async () => {
    const body = '{"command": "task.create",\n "args": {"title": "Fix > login"}}\n\nAna\n';
    expect(await read(body)).toMatchObject({
      kind: 'run',
      body: { command: 'task.create', args: { title: 'Fix > login' } },
    });
    expect(await read('{"command":"help"}')).toMatchObject({ body: { command: 'help', args: {} } });
  });
});

describe('nothing is run, and the sender is told why, for', () => {
  test('HTML alone', async () => {
    const html = { 'Content-Type': 'text/html', Subject: 'task list' };
    expect(await read('<p>job run deploy</p>', html)).toMatchObject(explains(/plain text/));
  });

  test.each([
    'Fwd: job run deploy',
    'FW: x',
    'WG: x',
    'Tr : x',
    '[EXT] Fwd: x',
    '[dev] [EXT]FW: x',
    'Re: Fwd: x',
    'FWD：x',
    '转发：x',
    '轉寄: x',
    '転送: x',
    '轉發: x',
    'VL: x',
  ])('a forwarded mail: %s', async (Subject) => {
    expect(await read('job run deploy\n', { Subject })).toMatchObject(explains(/Forwarded/));
    expect(await read('', { Subject })).toMatchObject(explains(/Forwarded/));
    expect(await read('\n-----Original Message-----\njob run\n', { Subject })).toMatchObject(
      explains(/Forwarded/),
    );
  });

  test('a mail that is attached, inline or not', async () => {
    for (const disposition of ['', 'Content-Disposition: inline\n', 'Content-Disposition: attachment\n']) {
      const inner = 'From: x@evil.test\nSubject: job run deploy\n\njob run deploy\n';
      const body = `${part('text/plain', '')}${part('message/rfc822', inner, disposition)}--b--\n`;
      const decoded = await read(body, { ...multipart('mixed'), Subject: 'Re: see below' });
      expect(decoded).toMatchObject(explains(/no line of your own/));
    }
  });

  test('an answer without a line of its own', async () => {
    expect(await read('> job run deploy\n', { Subject: 'Re: task list' })).toMatchObject(explains(/no line/));
    expect(await read('', { Subject: 'Re: task list' })).toMatchObject(explains(/no line/));
    expect(await read('', { Subject: '[EXT] Re[2]: task list' })).toMatchObject(explains(/no line/));
    expect(await read('', { Subject: '回复：task list' })).toMatchObject(explains(/no line/));
    expect(await read('', { Subject: 'task list', 'In-Reply-To': '<a@b.test>' })).toMatchObject(
      explains(/no line/),
    );
  });

  test.each([
    ['Japanese', '2026年11月3日(火) 10:00 Bot <bot@example.test>:\n\n> job run\n'],
    ['Chinese', 'Bot <bot@example.test> 于2026年11月3日周二 10:00写道：\n> job run\n'],
    ['Chinese, in two lines', 'Bot <bot@example.test>\n于2026年11月3日周二 10:00写道：\n\n> job run\n'],
    ['Russian', 'вт, 3 нояб. 2026 г. в 10:00, Bot <bot@example.test>:\n> job run\n'],
    ['Finnish', 'ti 3. marrask. 2026 klo 10.00 Bot kirjoitti:\n\njob run\n'],
    ['Outlook', 'From: Bot\nSent: Tuesday\nTo: Ana\nSubject: x\n\njob run\n'],
    ['Outlook, in bold', '*Von:* Bot\n*Gesendet:* Dienstag\n*Betreff:*\n\njob run\n'],
    ['Outlook, in Chinese', '发件人：Bot\n发送时间：2026年11月3日\n\njob run\n'],
  ])('a quotation alone, as it is introduced in %s', async (_name, body) => {
    expect(await read(body, { Subject: 'Re: x' })).toMatchObject(explains(/no line/));
  });

  test('a command that its character set garbles', async () => {
    const latin1 = Buffer.from(rawMail({}, 'task create Bär\r\n'), 'latin1');
    expect(await decode(latin1)).toMatchObject({ kind: 'explain', why: 'charset' });
    const japanese = { 'Content-Type': 'text/plain' };
    expect(await read('task create \u001b$B4A;z\u001b(B\n', japanese)).toMatchObject({ why: 'charset' });
    expect(await read('task list\n\n> B\ufffdr\n')).toEqual(runs('task list'));
    expect(await read('', { Subject: '=?utf-8?q?task_create_B=E4r?=' })).toMatchObject({ why: 'charset' });
  });

  test('HTML that shows something far below its first tags', async () => {
    const html = { 'Content-Type': 'text/html', Subject: 'task list' };
    expect(await read(`${'<br>\n'.repeat(30_000)}stop!`, html)).toMatchObject({ why: 'html' });
    expect(await read('<p title="x">&nbsp;</p>', html)).toEqual(runs('task list'));
  });

  test('neither text nor subject', async () => {
    expect(await read('', { Subject: undefined })).toMatchObject(explains(/no line/));
  });

  test.each([
    '{"command": 1}',
    '{"command": "help", "as": "root"}',
    '{',
    '{"text": "help"}',
    '{nonsense}',
    '{"command": "help", "command": "job.run"}',
    '{"command": "a.b", "args": {"x": [{"y": 1, "\\"z:": 2, "y": 3}]}}',
    String.raw`{"command": "a.b", "args": {"x": "\ud800"}}`,
    `{"command": "a.b", "args": ${'['.repeat(100)}${']'.repeat(100)}}`,
  ])('JSON that is not a command: %s', async (body) => {
    expect(await read(body)).toMatchObject(explains(/JSON/));
  });
});

describe('a vote', () => {
  const quoted = '\n\n> APR-12: bo asks to run\n> job run deploy\n';

  test.each([
    ['approve', { Subject: 'Re: [APR-12] bo asks to run' }, 'approval.approve', {}],
    ['Approved!', { Subject: 'AW: [apr-12] x' }, 'approval.approve', {}],
    [`approve${quoted}`, { Subject: 'Re: your request' }, 'approval.approve', {}],
    ['deny because it is late', { Subject: 'Re: [APR-12]' }, 'approval.deny', { reason: 'it is late' }],
    [`deny: not today${quoted}`, {}, 'approval.deny', { reason: 'not today' }],
    ['deny', { Subject: 'Re: [APR-12]' }, 'approval.deny', {}],
    [`deny because it is\nFriday${quoted}`, {}, 'approval.deny', { reason: 'it is\nFriday' }],
    [
      'deny because it is\nFriday\n\n-- \nAna\n',
      { Subject: 'Re: [APR-12]' },
      'approval.deny',
      { reason: 'it is\nFriday' },
    ],
    [
      `deny because ${'x'.repeat(300)}\nFriday\n\nBot <bot@example.test>:\n> APR-12\n`,
      {},
      'approval.deny',
      { reason: `${'x'.repeat(300)}\nFriday` },
    ],
  ])('%j names the approval that is answered', async (body, fields, command, args) => {
    const decoded = await read(body, fields);
    expect(decoded).toMatchObject({ kind: 'run', body: { command, args: { approval: 'APR-12', ...args } } });
  });

  test.each([
    ['approve', { Subject: 'Re: hello' }],
    ['approve APR-3', { Subject: 'Re: [APR-12]' }],
    ['deny APR-3 --reason late', { Subject: 'Re: [APR-12]' }],
    ['approve if the tests pass', { Subject: 'Re: [APR-12]' }],
    ['approve', { Subject: 'Re: [APR-12] and [APR-13]' }],
  ])('%j that is not a plain answer is left to the command language', async (line, fields) => {
    expect(await read(line, fields)).toEqual(runs(line));
  });
});

test('what somebody makes to keep the reader busy takes no time', async () => {
  const bodies = [
    'Op schreef\n'.repeat(20_000),
    `x${' on at'.repeat(50_000)}`,
    `${'On a b '.repeat(30_000)}\n`.repeat(5),
    '<'.repeat(200_000),
    `${'From: '.repeat(30_000)}\n`.repeat(3),
    `${' '.repeat(200_000)}x`,
    `{"command": ${'"\\"'.repeat(100_000)}}`,
    'a:\n'.repeat(50_000),
  ];
  const mails = bodies.map((body) => [body, {}] as const);
  const html = { 'Content-Type': 'text/html' };
  mails.push(
    ['<'.repeat(100_000), html],
    ['<p '.repeat(6_000), html],
    ['', { Subject: '['.repeat(100_000) }],
  );
  for (const [body, fields] of mails) {
    const started = performance.now();
    await read(body, fields);
    expect(performance.now() - started).toBeLessThan(1_500);
  }
});

test('a thread is known by its first mail', () => {
  const thread = (fields: Parameters<typeof rawMail>[0]) => {
    const mail = splitMail(Buffer.from(rawMail(fields)));
    if (!mail) throw new Error('malformed');
    return threadOf(mail.headers, '<own@good.test>');
  };
  expect(thread({})).toEqual({ root: '<own@good.test>', references: [] });
  expect(thread({ 'In-Reply-To': '<a@b.test>' })).toEqual({ root: '<a@b.test>', references: ['<a@b.test>'] });
  expect(thread({ References: '<r@b.test>\r\n <a@b.test>', 'In-Reply-To': '<a@b.test>' })).toEqual({
    root: '<r@b.test>',
    references: ['<r@b.test>', '<a@b.test>'],
  });
  const many = Array.from({ length: 90 }, (_, index) => `<${index}@b.test>`);
  const long = thread({ References: many.join('\r\n ') });
  expect(long.references).toHaveLength(50);
  expect(long.root).toBe('<0@b.test>');
});
