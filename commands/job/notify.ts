import type { Catalog } from '../../src/domain/catalog.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { secretIn } from '../../src/domain/redact.ts';

/**
 * Whether the end of a job can be posted to a URL. Where it leads is looked at when it is posted, as for every outgoing
 * request. @throws Refusal `invalid_argument`, or `conflict` where nothing could be signed.
 */
export function checkNotify({ notify }: Pick<Catalog, 'notify'>, text: string): void {
  if (!notify)
    throw new Refusal(
      'conflict',
      'Ends of jobs are posted signed, and no secret is set to sign them with: set SIGNALBOX_NOTIFY_SECRET.',
    );
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new Refusal(
      'invalid_argument',
      'notify: expected a URL such as https://ci.example.test/hooks/job.',
    );
  const query = Object.fromEntries(url.searchParams);
  if (url.username !== '' || url.password !== '' || secretIn(query) !== undefined)
    throw new Refusal(
      'invalid_argument',
      'notify: leave credentials out of the URL, where they would be stored; the signature proves the sender.',
    );
}
