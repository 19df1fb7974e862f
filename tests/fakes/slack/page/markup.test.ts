import { expect, test } from 'vitest';
import { asCommand, asMarkup } from './markup.ts';

test.each([
  ['@signalbox status', '<@UBOT00001> status'],
  ['task create "a < b & c" --owner @Ana', 'task create "a &lt; b &amp; c" --owner <@UANA00001|ana>'],
  ['subscribe job.failed --to #ops', 'subscribe job.failed --to <#C0OPS0001|ops>'],
  ['mail ana@signalbox.test, ask @nobody in #nowhere', 'mail ana@signalbox.test, ask @nobody in #nowhere'],
  ['see https://x.test/a?b=1&c=2#ops.', 'see <https://x.test/a?b=1&amp;c=2#ops>.'],
  ['<@UANA00001>', '&lt;@UANA00001&gt;'],
])('%s goes out as Slack writes it', (line, markup) => {
  expect(asMarkup(line, 'UBOT00001')).toBe(markup);
});

test('a slash command is its name and the rest', () => {
  expect(asCommand('/sb task create\n"two lines"')).toEqual({
    command: '/sb',
    text: 'task create\n"two lines"',
  });
  expect(asCommand('/signalbox')).toEqual({ command: '/signalbox', text: '' });
  expect(asCommand('and/or')).toBeUndefined();
  expect(asCommand('/etc/hosts is wrong')).toBeUndefined();
});
