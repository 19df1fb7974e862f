import { ownTag } from './address.ts';
import type { Headers } from './header.ts';

/**
 * Why a mail is one that nobody wrote to us by hand, so that it is neither run nor answered (RFC 3834 §2; RFC 2919 and
 * RFC 2369 for lists): undefined for an ordinary one. `sender` is the address in From, where there is one.
 */
export function automatic(
  headers: Headers,
  sender: string | undefined,
  botAddress: string,
): string | undefined {
  const value = (name: string) => (headers.one(name) ?? '').toLowerCase();
  if (sender !== undefined && ownTag(sender, botAddress) !== undefined) return 'ourselves';
  if (sender !== undefined && /^(mailer-daemon|postmaster)@/.test(sender)) return 'bounce';
  if (sender !== undefined && /^(no|do[-_.]?not)[-_.]?reply\b/.test(sender)) return 'auto_reply';
  if (headers.all('return-path').some((path) => path.replace(/\s/g, '') === '<>')) return 'bounce';
  if (value('content-type').startsWith('multipart/report')) return 'bounce';
  if (headers.all('auto-submitted').some((auto) => !/^no\b/i.test(auto))) return 'auto_reply';
  if (['x-autoreply', 'x-autorespond'].some((name) => headers.one(name) !== undefined)) return 'auto_reply';
  // Programs write it that do not want an answer; Exchange and our own mails say nothing else.
  if (headers.all('x-auto-response-suppress').some((suppress) => !/^none$/i.test(suppress)))
    return 'auto_reply';
  if (headers.names.some((name) => name.startsWith('list-'))) return 'list';
  if (headers.all('precedence').some((kind) => /^(bulk|list|junk|auto_reply)\b/i.test(kind))) return 'list';
  return undefined;
}
