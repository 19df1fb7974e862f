import { rootCertificates } from 'node:tls';
import type { MailServer } from './options.ts';

/** TLS settings of a connection: a certificate authority that is given is trusted besides the usual ones. */
export function tlsOf({ tls }: MailServer): { tls?: { ca?: (string | Buffer)[]; servername?: string } } {
  if (tls === undefined) return {};
  const { ca, servername } = tls;
  return {
    tls: {
      ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
      ...(servername !== undefined && { servername }),
    },
  };
}

/** Whether a connection without `secure` has to be upgraded before a password goes over it: always, but to ourselves. */
export function mustUpgrade({ host, secure }: MailServer): boolean {
  return !secure && !/^(localhost|127(\.\d+){3}|::1|\[::1\])$/i.test(host);
}
