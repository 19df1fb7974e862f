import { expect, test } from 'vitest';
import { Lines, MAX_LINE } from '../../../src/worker/executors/lines.ts';

function read(chunks: readonly (string | Buffer)[], slack = 0): string[] {
  const seen: string[] = [];
  const lines = new Lines((line) => seen.push(line), slack);
  for (const chunk of chunks) lines.write(Buffer.from(chunk));
  lines.end();
  return seen;
}

test('lines across chunks, with either line break, the last one without', () => {
  expect(read(['a', 'b\nc\r\n', '\n', 'd'])).toEqual(['ab', 'c', '', 'd']);
  expect(read(['a\n'])).toEqual(['a']);
  expect(read([])).toEqual([]);
});

test('a character across chunks', () => {
  const bytes = Buffer.from('🎉\n');
  expect(read([bytes.subarray(0, 2), bytes.subarray(2)])).toEqual(['🎉']);
  expect(read([bytes.subarray(0, 2)])).toEqual(['\uFFFD']);
});

test('an endless line is held to its bound', () => {
  const seen = read([...Array.from({ length: 100 }, () => 'x'.repeat(1_000)), '\nnext'], 10);
  expect(seen.map((line) => line.length)).toEqual([MAX_LINE + 11, 4]);
});
