/** Slack's own markup as nodes (docs.slack.dev/messaging/formatting-message-text). `names` tells users and channels. */
import { h } from './dom.js';

const EMOJI = {
  white_check_mark: '✅',
  heavy_check_mark: '✔️',
  x: '❌',
  warning: '⚠️',
  hourglass: '⌛',
  rocket: '🚀',
  bell: '🔔',
  hourglass_flowing_sand: '⏳',
  no_entry: '⛔',
  no_entry_sign: '🚫',
  large_green_circle: '🟢',
  red_circle: '🔴',
  large_yellow_circle: '🟡',
  large_orange_circle: '🟠',
  white_circle: '⚪',
  large_blue_circle: '🔵',
  lock: '🔒',
  black_circle: '⚫',
  eyes: '👀',
  thumbsup: '👍',
  thumbsdown: '👎',
  tada: '🎉',
  fire: '🔥',
  rotating_light: '🚨',
  memo: '📝',
  clipboard: '📋',
  wave: '👋',
  gear: '⚙️',
  link: '🔗',
  zap: '⚡',
  robot_face: '🤖',
  question: '❓',
  arrows_counterclockwise: '🔄',
  stopwatch: '⏱️',
  alarm_clock: '⏰',
  calendar: '📅',
  package: '📦',
  ok: '🆗',
};

/** `*bold*` and its like: at a word's edges, around text that may hold code and links with the sign in them. */
const emphasis = (sign, mark, name) =>
  `(?<![\\p{L}\\p{N}${sign}])${mark}(?=\\S)(?<${name}>(?:<[^<>\\n]*>|\`[^\`\\n]*\`|[^${sign}\\n])+?)(?<!\\s)${mark}(?![\\p{L}\\p{N}${sign}])`;

const INLINE = new RegExp(
  [
    '`(?<code>[^`\\n]+)`',
    '<(?<angle>[^<>\\n]+)>',
    emphasis('*', '\\*', 'bold'),
    emphasis('_', '_', 'italic'),
    emphasis('~', '~', 'strike'),
  ].join('|'),
  'u',
);
const TAGS = { bold: 'strong', italic: 'em', strike: 's' };

export function mrkdwn(text, names) {
  return text.split(/```\n?([\s\S]*?)\n?```/).flatMap((part, index) => {
    if (index % 2 === 1) return [h('pre', {}, h('code', {}, ...codeOf(part, names)))];
    return lines(part, names);
  });
}

/** Text without markup, with its emoji. */
export const plainText = (text) => text.replace(/:([a-z_]+):/g, (whole, name) => EMOJI[name] ?? whole);

const unescaped = (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** Markup as a person types it. */
export const asTyped = (text, names) =>
  unescaped(
    text.replace(/<([^<>|]+)(?:\|([^<>]*))?>/g, (_, target, label) => {
      if (target.startsWith('@')) return `@${names.user(target.slice(1))}`;
      return target.startsWith('#') ? `#${names.channel(target.slice(1), label)}` : target;
    }),
  );

/** Lines, with those that start with `>` as a quote. */
function lines(text, names) {
  const nodes = [];
  let quote;
  for (const line of text.replace(/^\n|\n$/g, '').split('\n')) {
    const quoted = /^(?:&gt;|>) ?(.*)$/.exec(line)?.[1];
    if (quoted === undefined) {
      if (nodes.length > 0 && quote === undefined) nodes.push(h('br'));
      quote = undefined;
      nodes.push(...inline(line, names));
    } else if (quote === undefined) {
      quote = h('blockquote', {}, ...inline(quoted, names));
      nodes.push(quote);
    } else quote.append(h('br'), ...inline(quoted, names));
  }
  return nodes;
}

function inline(text, names) {
  const found = INLINE.exec(text);
  if (found === null) return text === '' ? [] : [plainText(unescaped(text))];
  const before = text.slice(0, found.index);
  const after = text.slice(found.index + found[0].length);
  return [...inline(before, names), node(found.groups, names), ...inline(after, names)];
}

function node(groups, names) {
  if (groups.code !== undefined) return h('code', {}, ...codeOf(groups.code, names));
  if (groups.angle !== undefined) return angle(groups.angle, names);
  const kind = Object.keys(TAGS).find((name) => groups[name] !== undefined);
  return h(TAGS[kind], {}, ...inline(groups[kind], names));
}

/** Within code nothing but links and mentions is read. */
const codeOf = (text, names) =>
  text.split(/<([^<>\n]+)>/).map((part, index) => (index % 2 === 1 ? angle(part, names) : unescaped(part)));

function angle(content, names) {
  const [target, label] = content.split(/\|([\s\S]*)/);
  if (target.startsWith('@')) return h('span', { class: 'mention' }, `@${names.user(target.slice(1))}`);
  if (target.startsWith('#'))
    return h('span', { class: 'mention' }, `#${names.channel(target.slice(1), label && unescaped(label))}`);
  if (target.startsWith('!date^')) return time(target.slice('!date^'.length), label ?? '');
  if (target.startsWith('!')) return h('span', { class: 'mention' }, `@${target.slice(1).split('^')[0]}`);
  if (!/^(?:https?:\/\/|mailto:)/.test(target)) return `<${unescaped(content)}>`;
  const href = unescaped(target);
  return h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, label ? unescaped(label) : href);
}

/** docs.slack.dev/messaging/formatting-message-text#date-formatting, in this browser's zone. */
function time(content, fallback) {
  const [seconds, pattern = '', href] = content.split('^');
  const date = new Date(Number(seconds) * 1_000);
  if (Number.isNaN(date.getTime())) return unescaped(fallback);
  const element = h('time', {
    datetime: date.toISOString(),
    title: date.toString(),
    'data-pattern': unescaped(pattern),
  });
  element.textContent = formatted(date, unescaped(pattern));
  if (href === undefined || !/^https?:\/\//.test(href)) return element;
  return h('a', { href: unescaped(href), target: '_blank', rel: 'noopener noreferrer' }, element);
}

/** Writes all times that tell how long ago they were anew. */
export function tick() {
  for (const element of document.querySelectorAll('time[data-pattern*="{ago}"]'))
    element.textContent = formatted(new Date(element.dateTime), element.dataset.pattern);
}

const show = (date, options) => new Intl.DateTimeFormat(undefined, options).format(date);
const day = { year: 'numeric', month: 'long', day: 'numeric' };
const short = { year: 'numeric', month: 'short', day: 'numeric' };
const long = { ...day, weekday: 'long' };

const TOKENS = {
  date_num: (date) =>
    [date.getFullYear(), date.getMonth() + 1, date.getDate()]
      .map((n) => String(n).padStart(2, '0'))
      .join('-'),
  date_slash: (date) => show(date, { year: 'numeric', month: '2-digit', day: '2-digit' }),
  date: (date) => show(date, day),
  date_short: (date) => show(date, short),
  date_long: (date) => show(date, long),
  date_long_full: (date) => show(date, long),
  date_pretty: (date) => pretty(date, day),
  date_short_pretty: (date) => pretty(date, short),
  date_long_pretty: (date) => pretty(date, long),
  day_divider_pretty: (date) => pretty(date, { weekday: 'long', month: 'long', day: 'numeric' }),
  time: (date) => show(date, { hour: 'numeric', minute: '2-digit' }),
  time_secs: (date) => show(date, { hour: 'numeric', minute: '2-digit', second: '2-digit' }),
  ago: (date) => ago(date),
};

const formatted = (date, pattern) =>
  pattern.replace(/\{(\w+)\}/g, (whole, token) => TOKENS[token]?.(date) ?? whole);

function pretty(date, options) {
  const days = Math.round(
    (new Date(date).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86_400_000,
  );
  return { '-1': 'yesterday', 0: 'today', 1: 'tomorrow' }[days] ?? show(date, options);
}

const UNITS = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

function ago(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1_000);
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }).format(Math.trunc(seconds / size), unit);
}
