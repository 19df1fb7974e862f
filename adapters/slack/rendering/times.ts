/** As replies write an instant: `2026-03-02 10:00 UTC`, with or without seconds, or ISO 8601, as words of their own. */
const INSTANT =
  /(?<=^|[\s(])(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d(?::\d\d)?) UTC|T(\d\d:\d\d:\d\d(?:\.\d{3})?)Z)(?=[).,;:!?]*(?:\s|$))/g;

/** What stands in code is shown letter by letter. */
const CODE = /(```[\s\S]*?```|`[^`\n]+`)/;

/**
 * Escaped text whose instants Slack shows in the reader's own zone, and as they were written where it cannot
 * (docs.slack.dev/messaging/formatting-message-text#date-formatting).
 */
export const withTimes = (markup: string): string =>
  markup
    .split(CODE)
    .map((part, index) => (index % 2 === 1 ? part : part.replace(INSTANT, inReadersZone)))
    .join('');

function inReadersZone(
  written: string,
  day: string,
  clock: string | undefined,
  iso: string | undefined,
): string {
  const at = new Date(`${day}T${clock ?? iso}Z`);
  // The thirtieth of February would become a day in March.
  if (!isShowable(at) || !at.toISOString().startsWith(day)) return written;
  return dateToken(at, /:\d\d:\d\d/.test(clock ?? '') ? TO_THE_SECOND : TO_THE_MINUTE, written);
}

const TO_THE_MINUTE = '{date_short_pretty} {time}';
const TO_THE_SECOND = '{date_short_pretty} {time_secs}';

/** An instant of ISO 8601 in the reader's zone, and how far off it is; undefined where it is none that Slack can show. */
export function timeWithDistance(iso: string): string | undefined {
  const at = new Date(iso);
  const { [0]: day, [1]: clock } = isShowable(at) ? at.toISOString().split('T') : [];
  if (day === undefined || clock === undefined) return undefined;
  return dateToken(at, `${TO_THE_MINUTE} ({ago})`, `${day} ${clock.slice(0, 5)} UTC`);
}

/** Slack counts in whole seconds since 1970. */
const isShowable = (at: Date): boolean => at.getTime() >= 0 && at.getUTCFullYear() < 10_000;

/** `fallback` is escaped already. */
const dateToken = (at: Date, pattern: string, fallback: string): string =>
  `<!date^${Math.floor(at.getTime() / 1_000)}^${pattern}|${fallback}>`;
