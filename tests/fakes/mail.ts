import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { dkimSign, type DNSResolver } from 'mailauth';

const FIELDS = 'from:to:cc:subject:date:message-id:in-reply-to:references:content-type:mime-version';

/** A DNS of our own: TXT records by name. A name that is not in it does not exist; one in `broken` does not answer. */
export class Zone {
  readonly records = new Map<string, string>();
  readonly broken = new Set<string>();
  readonly asked: string[] = [];

  readonly resolve: DNSResolver = async (name, type) => {
    this.asked.push(name);
    if (this.broken.has(name)) throw Object.assign(new Error(`no answer for ${name}`), { code: 'ESERVFAIL' });
    const record = type === 'TXT' ? this.records.get(name) : undefined;
    if (record === undefined) throw Object.assign(new Error(`no ${name}`), { code: 'ENOTFOUND' });
    return [[record]];
  };
}

export interface SignOptions {
  readonly fields?: string;
  /** The `l=` tag. */
  readonly bodyLength?: number;
  readonly canonicalization?: string;
}

/** A domain that signs its mail, with its key and its policy in the zone. */
export class MailDomain {
  readonly #key: KeyObject;
  readonly name: string;

  constructor(name: string, zone: Zone, { dmarc = 'v=DMARC1; p=reject', flags = '' } = {}) {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    this.name = name;
    this.#key = privateKey;
    const der = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    zone.records.set(`s1._domainkey.${name}`, `v=DKIM1; k=rsa; ${flags}p=${der}`);
    if (dmarc !== '') zone.records.set(`_dmarc.${name}`, dmarc);
  }

  /** The mail with a real DKIM-Signature of this domain on top. */
  async sign(raw: string | Buffer, options: SignOptions = {}): Promise<Buffer> {
    const signature = {
      signingDomain: this.name,
      selector: 's1',
      privateKey: this.#key.export({ type: 'pkcs8', format: 'pem' }),
      headerList: options.fields ?? FIELDS,
      ...(options.bodyLength !== undefined && { maxBodyLength: options.bodyLength }),
    };
    const { canonicalization = 'relaxed/relaxed' } = options;
    const { signatures, errors } = await dkimSign(raw, {
      ...signature,
      canonicalization,
      signatureData: [signature],
    });
    if (errors.length > 0) throw new Error(`not signed: ${errors[0]?.err.message}`);
    return Buffer.concat([Buffer.from(signatures), Buffer.from(raw)]);
  }
}

let serial = 0;

/**
 * A raw mail from Ana to the bot. Fields given as undefined are left out; a list gives the field several times; names
 * are written as they are given.
 */
export function rawMail(
  fields: Readonly<Record<string, string | readonly string[] | undefined>> = {},
  body = 'task list\r\n',
): string {
  serial += 1;
  const all: Record<string, string | readonly string[] | undefined> = {
    From: 'Ana <ana@good.test>',
    To: 'bot@example.test',
    Subject: 'Hello',
    Date: new Date().toUTCString(),
    'Message-ID': `<mail-${process.pid}-${serial}@good.test>`,
    'MIME-Version': '1.0',
    'Content-Type': 'text/plain; charset=utf-8',
    ...fields,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`),
  );
  return `${lines.join('')}\r\n${body}`;
}
