import addressparser from 'nodemailer/lib/addressparser';

const ATEXT = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
/** `=?` could begin an encoded word (RFC 2047), which some readers decode even where it must not stand. */
const ADDR_SPEC = `(?![^@]*=\\?)${ATEXT}(?:\\.${ATEXT})*@(?:${LABEL}\\.)+${LABEL}`;
const PLAIN = new RegExp(`^${ADDR_SPEC}$`);
/** A display name is a quoted string without escapes, or words without anything that means more to some parser. */
const NAMED = new RegExp(`^(?:"[^"\\\\]*"|[^"\\\\<>@,;:()[\\]]*)\\s*<(${ADDR_SPEC})>$`);
const MAX_LENGTH = 254; // RFC 5321 §4.5.3.1.3, with the angle brackets taken off

/** Whether the text is one ASCII addr-spec of dot-atoms (RFC 5322 §3.4.1), without quotes, comments or literals. */
export function isAddress(text: string): boolean {
  return text.length <= MAX_LENGTH && PLAIN.test(text);
}

/**
 * The one mailbox of a From field, in lower case. Returns undefined for whatever is not exactly one plain address:
 * quotes, encoded words or a second `@` in it, comments, groups, lists.
 */
export function strictMailbox(value: string): string | undefined {
  const address = PLAIN.test(value) ? value : NAMED.exec(value)?.[1];
  return address !== undefined && address.length <= MAX_LENGTH ? address.toLowerCase() : undefined;
}

/** Every address of To, Cc or Delivered-To values as written, groups included. */
export function recipients(values: readonly string[]): string[] {
  return addressparser(values.join(', '), { flatten: true }).map((mailbox) => mailbox.address);
}

/**
 * What an address says about us: undefined when it is somebody else's, else the tag of the plus address, or ''.
 * `bot+k3y@example.test` for `bot@example.test` gives `k3y`, in the case it came in.
 */
export function ownTag(address: string, botAddress: string): string | undefined {
  const [local, domain] = splitAddress(address);
  const [ownLocal, ownDomain] = splitAddress(botAddress.toLowerCase());
  if (domain.toLowerCase() !== ownDomain) return undefined;
  const lower = local.toLowerCase();
  if (lower === ownLocal) return '';
  return lower.startsWith(`${ownLocal}+`) ? local.slice(ownLocal.length + 1) : undefined;
}

/** Local part and domain of an address. */
export function splitAddress(address: string): [string, string] {
  const at = address.lastIndexOf('@');
  return [address.slice(0, at), address.slice(at + 1)];
}
