import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Authenticator } from '../../src/core/authenticator.ts';
import type { Admission } from '../../src/core/limits.ts';
import type { VerifiedIdentity } from '../../src/core/message.ts';
import { MINUTE, type Clock } from '../../src/domain/clock.ts';
import { asRefusal, Refusal } from '../../src/domain/errors.ts';
import type { Principal } from '../../src/domain/principal.ts';
import { problemHeaders, problemOf } from '../http.ts';

export const PATH = '/v1/ws';
export const PROTOCOL = 'signalbox.v1';

/** A page can get a new ticket at any time, so its socket lives no longer than an access token, nor than its bearer. */
const TICKET_SOCKET = 15 * MINUTE;

export interface Admitted {
  readonly identity: VerifiedIdentity;
  readonly who: Principal;
  readonly expiresAt: Date | undefined;
}

export interface UpgradeOptions {
  readonly workspace: string;
  readonly authenticator: Authenticator;
  readonly admission: Admission;
  readonly clock: Clock;
  /** The public address: its pages may connect, whatever `Host` a proxy on the way passes on. */
  readonly publicUrl: string;
  /** Origins of further web pages that may connect. */
  readonly allowedOrigins: readonly string[];
}

/**
 * Decides on an upgrade before it is made: path, origin, subprotocol, then the bearer or the ticket, and its limits.
 * @throws Refusal `not_found`, `forbidden`, `malformed`, `unauthenticated` or `rate_limited`.
 */
export async function admit(options: UpgradeOptions, req: IncomingMessage): Promise<Admitted> {
  if (req.headers.upgrade?.toLowerCase() !== 'websocket')
    throw new Refusal('malformed', `Send this without Upgrade: all there is to upgrade to is ${PATH}.`);
  const url = URL.parse(req.url ?? '', 'http://localhost');
  if (url?.pathname !== PATH) throw new Refusal('not_found', `The WebSocket is at ${PATH}.`);
  checkOrigin(options, req);
  const protocols = (req.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (!protocols.includes(PROTOCOL)) throw new Refusal('malformed', `Ask for the subprotocol ${PROTOCOL}.`);
  const { identity, expiresAt } = await prove(options, req, url.searchParams.get('ticket'));
  if (identity.workspace !== options.workspace)
    throw new Refusal('unauthenticated', 'This bearer is not valid here.');
  await options.admission.admit('websocket', identity);
  return { identity, expiresAt, who: await presentPrincipal(options.authenticator, identity) };
}

/** The principal behind an identity as it is now. @throws Refusal `forbidden` when it is linked to nobody. */
export async function presentPrincipal(
  authenticator: Authenticator,
  identity: VerifiedIdentity,
): Promise<Principal> {
  const who = await authenticator.principal(identity);
  if (who === undefined) throw new Refusal('forbidden', 'This sender is linked to nobody here.');
  return who;
}

/** Browsers send the origin of the page and let any page connect (RFC 6455, 10.2); programs send none. */
function checkOrigin({ allowedOrigins, publicUrl }: UpgradeOptions, req: IncomingMessage): void {
  const { origin, host } = req.headers;
  if (origin === undefined || allowedOrigins.includes(origin)) return;
  if (origin === URL.parse(publicUrl)?.origin) return;
  if (host === undefined || URL.parse(origin)?.host !== host)
    throw new Refusal('forbidden', 'Pages of this origin may not connect; see ALLOWED_ORIGINS.');
}

async function prove({ authenticator, clock }: UpgradeOptions, req: IncomingMessage, ticket: string | null) {
  if (ticket === null) return authenticator.bearer(req.headers.authorization);
  const { identity, expiresAt } = await authenticator.redeemTicket(ticket);
  const latest = new Date(clock.now().getTime() + TICKET_SOCKET);
  return { identity, expiresAt: expiresAt && expiresAt < latest ? expiresAt : latest };
}

/** Answers an upgrade as HTTP, with a problem document, and hangs up. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const refusal = asRefusal(error);
  const problem = problemOf(refusal);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...problemHeaders(refusal).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
