import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Authenticator } from '../../src/core/authenticator.ts';
import type { VerifiedIdentity } from '../../src/core/message.ts';
import { MINUTE, type Clock } from '../../src/domain/clock.ts';
import { asRefusal, Refusal } from '../../src/domain/errors.ts';
import type { Principal } from '../../src/domain/principal.ts';
import { problemOf } from '../http.ts';

const PATH = '/v1/ws';
export const PROTOCOL = 'signalbox.v1';

/** A ticket does not tell when the bearer ends that it was given for, so its socket lives as long as an access token. */
const TICKET_SOCKET = 15 * MINUTE;

export interface Admission {
  readonly identity: VerifiedIdentity;
  readonly who: Principal;
  readonly expiresAt: Date | undefined;
}

export interface UpgradeOptions {
  readonly workspace: string;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  /** Origins of web pages that may connect, besides the server's own. */
  readonly allowedOrigins: readonly string[];
}

/**
 * Decides on an upgrade before it is made: path, origin, subprotocol, then the bearer or the ticket.
 * @throws Refusal `not_found`, `forbidden`, `malformed` or `unauthenticated`.
 */
export async function admit(options: UpgradeOptions, req: IncomingMessage): Promise<Admission> {
  const url = URL.parse(req.url ?? '', 'http://localhost');
  if (url?.pathname !== PATH) throw new Refusal('not_found', `The WebSocket is at ${PATH}.`);
  checkOrigin(options, req);
  const protocols = (req.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (!protocols.includes(PROTOCOL)) throw new Refusal('malformed', `Ask for the subprotocol ${PROTOCOL}.`);
  const { identity, expiresAt } = await prove(options, req, url.searchParams.get('ticket'));
  if (identity.workspace !== options.workspace)
    throw new Refusal('unauthenticated', 'This bearer is not valid here.');
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
function checkOrigin({ allowedOrigins }: UpgradeOptions, req: IncomingMessage): void {
  const { origin, host } = req.headers;
  if (origin === undefined || allowedOrigins.includes(origin)) return;
  if (host === undefined || URL.parse(origin)?.host !== host)
    throw new Refusal('forbidden', 'Pages of this origin may not connect; see ALLOWED_ORIGINS.');
}

async function prove({ authenticator, clock }: UpgradeOptions, req: IncomingMessage, ticket: string | null) {
  if (ticket === null) return authenticator.bearer(req.headers.authorization);
  const identity = await authenticator.redeemTicket(ticket);
  return { identity, expiresAt: new Date(clock.now().getTime() + TICKET_SOCKET) };
}

/** Answers an upgrade as HTTP, with a problem document, and hangs up. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const problem = problemOf(asRefusal(error));
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(problem.status === 401 ? ['WWW-Authenticate: Bearer realm="signalbox"'] : []),
    ...(problem.status === 503 ? ['Retry-After: 1'] : []),
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
