import { expect, test } from 'vitest';
import { clip } from '../../src/domain/clip.ts';

test('what is short enough stays as it is, what is not ends in …', () => {
  expect([clip('four', 4), clip('fives', 4), clip('', 0)]).toEqual(['four', 'fiv…', '']);
});

test('is well-formed wherever it is cut', () => {
  for (let most = 1; most < 9; most += 1) {
    const text = clip('a😀b😀c😀', most);
    expect(text.isWellFormed()).toBe(true);
    expect(text.length).toBeLessThanOrEqual(most);
  }
  expect(clip('a\ud800', 4)).toBe('a\ufffd');
});
