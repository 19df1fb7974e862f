import { expect, test } from 'vitest';
import { LogItem } from '../../../adapters/websocket/item.ts';

const OVERHEAD = JSON.stringify({ type: 'log', job: 'JOB-1', cursor: 1, line: '', stream: 'out' }).length;

test.each([
  [OVERHEAD, 2],
  [125, 2],
  [126, 4],
  [65_535, 4],
  [65_536, 10],
  [100_000, 10],
])('a text of %i bytes is one final text frame with a head of %i bytes', (length, head) => {
  const line = 'x'.repeat(length - OVERHEAD);
  const { frame } = new LogItem({ job: 'JOB-1', cursor: 1, stream: 'out', line });
  const told = { 2: frame[1], 4: frame.readUInt16BE(2), 10: Number(frame.readBigUInt64BE(2)) }[head];
  expect(frame[0]).toBe(0x81);
  expect(told).toBe(length);
  expect(frame.length).toBe(head + length);
  expect(JSON.parse(frame.toString('utf8', head))).toMatchObject({ line });
});

test('the length counts bytes, not characters', () => {
  const { frame } = new LogItem({ job: 'JOB-1', cursor: 1, stream: 'out', line: '💡'.repeat(30) });
  expect(frame.readUInt16BE(2)).toBe(frame.length - 4);
  expect(JSON.parse(frame.toString('utf8', 4))).toMatchObject({ line: '💡'.repeat(30) });
});
