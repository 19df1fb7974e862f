/** Nothing that separates, quotes, escapes or begins a flag. */
const BARE = /^[^\s"'\\“”„‘’—–-][^\s"'\\“”„‘’]*$/;

/** A value as one word of a command line, in quotes only where it needs them. */
export function quote(text: string): string {
  return BARE.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}
