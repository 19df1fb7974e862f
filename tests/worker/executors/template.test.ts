import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Templates } from '../../../src/worker/executors/template.ts';
import { tempFolder } from '../../support/temp.ts';

const args = {
  branch: 'x --priority P0',
  path: '../a b',
  up: '..',
  n: 3,
  quote: 'a"b\\',
  list: [1],
  half: '\ud800',
  none: null,
};
const env = { TOKEN: 'fake-token', SHORT: 'on', KEY: 'line one\nline two' };
const templates = (): Templates => new Templates(args, { env });

describe('fill', () => {
  test.each([
    ['${args.branch}', 'text', 'x --priority P0'],
    ['n=${args.n} ${args.list} ${args.none}', 'text', 'n=3 [1] null'],
    ['Bearer ${env:TOKEN}', 'text', 'Bearer fake-token'],
    ['plain $1 {x} $', 'text', 'plain $1 {x} $'],
    [
      'https://a.test/${args.path}?q=${args.branch}',
      'url',
      'https://a.test/..%2Fa%20b?q=x%20--priority%20P0',
    ],
    ['${args.quote}/x', 'url', 'a"b\\/x'],
    ['{"a":"${args.quote}","n":${args.n},"l":${args.list}}', 'json', '{"a":"a\\"b\\\\","n":3,"l":[1]}'],
    ['a=${args.branch}', 'form', 'a=x%20--priority%20P0'],
  ] as const)('%s as %s', (template, place, expected) => {
    expect(templates().fill(template, place)).toBe(expected);
  });

  test('the content of a file, without its last line break', () => {
    const path = join(tempFolder(), 'key');
    writeFileSync(path, 'fake-file-key\n');
    const filled = templates();
    expect(filled.fill(`Bearer \${file:${path}}`)).toBe('Bearer fake-file-key');
    expect(filled.hide('it said fake-file-key')).toBe('it said [redacted]');
    writeFileSync(path, 'x'.repeat(70_000));
    expect(() => filled.fill(`\${file:${path}}`)).toThrow('cannot be read');
    expect(() => filled.fill('${file:/nowhere/at/all}')).toThrow('The file /nowhere/at/all cannot be read');
    expect(() => filled.fill('${file:relative}')).toThrow('is not a template');
  });

  test('what is filled in is not read as a template again', () => {
    expect(new Templates({ a: '${env:TOKEN}' }, { env }).fill('${args.a}')).toBe('${env:TOKEN}');
  });

  test('this server’s address begins a URL, and stands nowhere else', () => {
    const self = new Templates({ up: '${self}' }, { env: {}, self: 'http://127.0.0.1:4711' });
    expect(self.fill('${self}/healthz?of=${args.up}', 'url')).toBe(
      'http://127.0.0.1:4711/healthz?of=%24%7Bself%7D',
    );
    expect(() => self.fill('https://a.test/${self}', 'url')).toThrow('${self} is not a template');
    expect(() => self.fill('${self}', 'text')).toThrow('${self} is not a template');
    expect(() => templates().fill('${self}/', 'url')).toThrow('${self} is not a template');
  });

  test.each([
    ['${args.missing}', 'text', 'needs the argument "missing"'],
    ['${args.constructor}', 'text', 'needs the argument "constructor"'],
    ['${env:NOWHERE}', 'text', 'The environment variable NOWHERE is not set'],
    ['${HOME}', 'text', '${HOME} is not a template'],
    ['https://a.test/${args.up}/x', 'url', 'cannot be ".."'],
    ['https://a.test/${args.half}', 'url', 'half of a surrogate pair'],
  ] as const)('%s is refused', (template, place, message) => {
    expect(() => templates().fill(template, place)).toThrow(message);
  });
});

describe('hide', () => {
  test('hides what was filled in from the environment, line by line', () => {
    const filled = templates();
    filled.fill('${env:TOKEN}${env:KEY}${env:SHORT}');
    expect(filled.hide('a fake-token b; line two; on')).toBe('a [redacted] b; [redacted]; on');
  });

  const secret = 'p@ss w"rd{1}/ü\'+%41';
  test.each([
    ['raw', secret],
    ['encodeURI', "p@ss%20w%22rd%7B1%7D/%C3%BC'+%2541"],
    ['encodeURIComponent', "p%40ss%20w%22rd%7B1%7D%2F%C3%BC'%2B%2541"],
    ['encodeURIComponent in lower case', "p%40ss%20w%22rd%7b1%7d%2f%c3%bc'%2b%2541"],
    ['a form', 'p%40ss+w%22rd%7B1%7D%2F%C3%BC%27%2B%2541'],
    ['the path of a URL', new URL(`http://a.test/${secret}`).pathname.slice(1)],
    ['the query of a URL', new URL(`http://a.test/?${secret}&b`).search.slice(1, -2)],
    ['the fragment of a URL', new URL(`http://a.test/#${secret}`).hash.slice(1)],
    ['JSON', 'p@ss w\\"rd{1}/ü\'+%41'],
    ['JSON with escaped slashes', 'p@ss w\\"rd{1}\\/ü\'+%41'],
    ['JSON in ASCII', 'p@ss w\\"rd{1}/\\u00fc\'+%41'],
    ['decoded', 'p@ss w"rd{1}/ü\'+A'],
  ])('hides an environment value as %s', (_form, shown) => {
    const filled = new Templates({}, { env: { KEY: secret } });
    filled.fill('${env:KEY}');
    expect(filled.hide(`<${shown}>`)).toBe('<[redacted]>');
    expect(filled.longestSecret).toBeGreaterThanOrEqual(shown.length);
  });

  test('hides a URL that is normalized, an argument whose name tells, and the longer of two first', () => {
    const filled = new Templates(
      { api_token: "it's/x" },
      { env: { HOOK: 'HTTPS://Hooks.test/T0/a b', PART: 'Hooks' } },
    );
    filled.fill('${env:PART}${env:HOOK}${args.api_token}', 'url');
    expect(filled.hide('POST https://hooks.test/T0/a%20b?t=it%27s%2Fx -> 200')).toBe(
      'POST [redacted]?t=[redacted] -> 200',
    );
    expect(filled.hide('HTTPS://Hooks.test/T0/a b')).toBe('[redacted]');
  });

  test('leaves the rest alone', () => {
    expect(templates().hide('fake-token')).toBe('fake-token');
  });
});
