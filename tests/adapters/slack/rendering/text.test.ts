import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutAt, escaped, plain, withoutMention } from '../../../../adapters/slack/rendering/text.ts';

describe('plain', () => {
  test.each([
    ['a &lt;b&gt; &amp; c', 'a <b> & c'],
    ['&amp;lt;', '&lt;'],
    ['&quot;&#39;', '&quot;&#39;'],
    ['<https://example.test/a?b=1&amp;c=2>', 'https://example.test/a?b=1&c=2'],
    ['see <https://example.test/|the page>', 'see https://example.test/'],
    ['<mailto:ana@example.test|ana@example.test>', 'ana@example.test'],
    ['<mailto:ana@example.test>', 'ana@example.test'],
    ['<@U123>', '<@U123>'],
    ['<@U123|@admin>', '<@U123>'],
    ['<#C123|general>', '#general'],
    ['<#C123>', '<#C123>'],
    ['<!here>', '@here'],
    ['<!subteam^S1|@ops>', '@ops'],
    ['<!date^1392734382^{date}|Feb 18>', 'Feb 18'],
    ['"quoted" --flag=value', '"quoted" --flag=value'],
  ])('%s is %s', (markup, text) => {
    expect(plain(markup)).toBe(text);
  });

  test('undoes what escaped does', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('&', '<', '>', ';', 'amp', 'lt', 'é', '😀', ' ') }),
        (text) => {
          expect(plain(escaped(text))).toBe(text);
        },
      ),
    );
  });
});

describe('withoutMention', () => {
  test.each([
    ['<@UBOT> task list', 'task list'],
    ['  <@UBOT|signalbox>: task list', 'task list'],
    ['<@UBOT>', ''],
    ['<@U1> task list', '<@U1> task list'],
    ['ask <@UBOT>', 'ask <@UBOT>'],
    ['<@UBOT> assign <@UBOT>', 'assign <@UBOT>'],
  ])('%s is "%s"', (markup, text) => {
    expect(withoutMention(markup, 'UBOT')).toBe(text);
  });
});

test('cutAt goes on, within the limit, and breaks no character', () => {
  const unit = fc.constantFrom('&amp;', '&lt;', '😀', '\n', 'a');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 200 }), fc.integer({ min: 5, max: 100 }), (text, limit) => {
      const end = cutAt(text, limit);
      expect(end).toBeLessThanOrEqual(limit > text.length ? text.length : limit);
      expect(end > 0 || text === '').toBe(true);
      expect(text.slice(0, end).isWellFormed()).toBe(true);
      expect(text.slice(0, end)).toMatch(/^(?:[^&]|&amp;|&lt;)*$/u);
    }),
  );
});
