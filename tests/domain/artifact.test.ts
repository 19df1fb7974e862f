import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bytesOf, measure, measureAll } from '../../src/domain/artifact.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Product } from '../../src/domain/job.ts';
import { REDACTED } from '../../src/domain/redact.ts';

const product = (over: Partial<Product> = {}): Product => ({
  name: 'notes.md',
  kind: 'text',
  mediaType: 'text/markdown',
  content: 'Grüße',
  ...over,
});
const refused = (...products: Product[]) => {
  try {
    measureAll(products);
  } catch (error) {
    if (error instanceof Refusal) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'taken';
};
const KEY = `ghp_${'example0'.repeat(5)}`;

describe('a content', () => {
  test('has the size and SHA-256 of the bytes that it stands for', () => {
    const bytes = Buffer.from([0, 1, 2, 255]);
    const file = measure('file', bytes.toString('base64'));
    expect(file).toEqual({ content: 'AAEC/w==', size: 4, sha256: hash('sha256', bytes, 'hex') });
    expect(bytesOf({ kind: 'file', content: file.content })).toEqual(bytes);
    expect(measure('text', 'Grüße')).toMatchObject({ size: 7, sha256: hash('sha256', 'Grüße', 'hex') });
    expect(measure('text', '')).toMatchObject({ size: 0 });
  });

  test.each<[string, Product['kind'], string]>([
    ['a file that is not base64', 'file', 'not base64!'],
    ['a file whose base64 is cut off', 'file', 'AAEC/w='],
    ['JSON that does not parse', 'json', '{"a": 1'],
    ['text that no database can hold', 'text', 'a\0b'],
    ['half a character', 'text', 'a\ud800b'],
  ])('refuses %s', (_, kind, content) => {
    expect(() => measure(kind, content)).toThrow(/^content: expected/);
  });

  test('has at most a megabyte of bytes', () => {
    expect(measure('text', 'x'.repeat(1_000_000)).size).toBe(1_000_000);
    expect(() => measure('text', 'x'.repeat(1_000_001))).toThrow('at most 1000000 bytes; this has 1000001');
    expect(() => measure('text', 'ü'.repeat(500_001))).toThrow('at most 1000000 bytes');
    expect(measure('file', Buffer.alloc(1_000_000).toString('base64')).size).toBe(1_000_000);
  });
});

describe('what a run made', () => {
  test.each<[string, Partial<Product>, string]>([
    ['no name', { name: '' }, 'invalid_argument: name: expected'],
    ['a path', { name: '../etc/passwd' }, 'invalid_argument: name: expected'],
    ['a place', { name: '..' }, 'invalid_argument: name: expected'],
    ['a line break', { name: 'a\nb' }, 'invalid_argument: name: expected'],
    ['no media type', { mediaType: 'markdown' }, 'invalid_argument: notes.md: mediaType: expected'],
    ['a header in it', { mediaType: 'text/html\r\nx: y' }, 'invalid_argument: notes.md: mediaType: expected'],
    ['bad JSON', { kind: 'json', content: '{' }, 'invalid_argument: notes.md: content: expected JSON'],
    ['too much', { content: 'x'.repeat(1_000_001) }, 'too_large: notes.md: An artifact has at most 1000000'],
  ])('is refused with %s', (_, over, message) => {
    expect(refused(product(over))).toContain(message);
  });

  test('is at most twenty artifacts of five megabytes together', () => {
    const many = (count: number, content = 'x') => Array.from({ length: count }, () => product({ content }));
    expect(refused(...many(20))).toBe('taken');
    expect(refused(...many(21))).toContain('too_large: A run makes at most 20 artifacts; this made 21.');
    expect(refused(...many(6, 'x'.repeat(900_000)))).toContain(
      'too_large: The artifacts of a run have at most',
    );
  });

  test('is kept without secrets, in the form it was written in where it has none', () => {
    const contents = (...products: Product[]) => measureAll(products).map(({ content }) => content);
    const written = '{ "plan": [1,2],\n "tokens": 812 }';
    expect(
      contents(
        product({ content: `key ${KEY}` }),
        product({ kind: 'json', content: written }),
        product({ kind: 'json', content: `{"password": "example", "note": "${KEY}"}` }),
        product({ kind: 'json', content: '{\n"password": "example"}' }),
        product({ kind: 'file', content: Buffer.from(KEY).toString('base64') }),
      ),
    ).toEqual([
      `key ${REDACTED}`,
      written,
      JSON.stringify({ password: REDACTED, note: REDACTED }),
      JSON.stringify({ password: REDACTED }, null, 2),
      Buffer.from(KEY).toString('base64'),
    ]);
  });

  test('has no secret in its name either', () => {
    expect(measureAll([product({ name: `${KEY}.md` })])[0]?.name).toBe(`${REDACTED}.md`);
  });

  test('is refused where its JSON is nested without end, not run into the ground', () => {
    const content = '['.repeat(400_000) + ']'.repeat(400_000);
    expect(refused(product({ kind: 'json', content }))).toContain('at most 64 levels');
  });
});
