import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { Refusal } from '../domain/errors.ts';

/** All addresses of a host name. @throws when it has none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export const systemResolve: Resolve = async (hostname) =>
  (await lookup(hostname, { all: true })).map(({ address }) => address);

/** Azure's platform address: by its number public, by its meaning the machine's own host. */
const PLATFORM = new Set(['168.63.129.16']);
const IPV6_GLOBAL = ipaddr.parseCIDR('2000::/3');

/**
 * Whether an address is on the public internet: not loopback, private, link-local, CGNAT, multicast, reserved,
 * unspecified, nor an IPv6 form that carries an IPv4 address (mapped, 6to4, NAT64, Teredo).
 */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast' || PLATFORM.has(parsed.toString())) return false;
  return parsed.kind() === 'ipv4' || parsed.match(IPV6_GLOBAL);
}

/** Host names or addresses, with or without a port, that an operator opened by name. */
export class AllowList {
  readonly #entries: ReadonlySet<string>;

  constructor(entries: readonly string[]) {
    this.#entries = new Set(entries.map((entry) => normal(entry)));
  }

  has(hostname: string, port: string): boolean {
    return this.#entries.has(normal(hostname)) || this.#entries.has(`${normal(hostname)}:${port}`);
  }
}

/** `[0:0::1]:80`, `::1`, `Example.Test.` and `example.test:80` as URLs spell them, IPv6 in brackets. */
function normal(entry: string): string {
  const [, host = '', port = ''] = ipaddr.IPv6.isValid(entry)
    ? [entry, `[${entry}]`]
    : (/^(.*?)(:\d+)?$/.exec(entry) ?? []);
  return `${URL.parse(`http://${host.replace(/\.$/, '')}`)?.hostname ?? host}${port}`;
}

/**
 * The addresses to connect to. They are the ones that were checked, so a name that answers differently the next time
 * (DNS rebinding) gains nothing; one private address among several refuses the name.
 * @throws Refusal `forbidden` for a destination that is not public, `unavailable` for a name that does not resolve.
 */
export async function checkedAddresses(host: string, resolve: Resolve): Promise<readonly string[]> {
  const addresses = ipaddr.isValid(host) ? [host] : await addressesOf(host, resolve);
  if (!addresses.every(isPublic))
    throw new Refusal(
      'forbidden',
      `${host} is not a public address; an operator can allow it by name (allowedHosts).`,
    );
  return addresses;
}

async function addressesOf(hostname: string, resolve: Resolve): Promise<readonly string[]> {
  try {
    const addresses = await resolve(hostname);
    if (addresses.length > 0) return addresses;
  } catch (cause) {
    throw new Refusal('unavailable', `${hostname} could not be resolved.`, { cause });
  }
  throw new Refusal('unavailable', `${hostname} has no address.`);
}
