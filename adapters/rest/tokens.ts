import type { Authenticator } from '../../src/core/authenticator.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { readObject, sendJson, type Handler } from '../http.ts';
import { enter, type Entrance } from './caller.ts';

/** `POST /v1/tokens`: `{}` with an API key, or `{"refreshToken"}` alone → an access token and the next refresh token. */
export function postToken(entrance: Entrance): Handler {
  const { authenticator, admission } = entrance;
  return async (req, res) => {
    const body = await readObject(req);
    const { refreshToken, ...others } = body;
    if (Object.keys(others).length > 0 || (refreshToken !== undefined && typeof refreshToken !== 'string'))
      throw new Refusal('malformed', 'Expected {} with an API key, or {"refreshToken": "…"}.');
    const pair =
      refreshToken === undefined
        ? await authenticator.issueTokens((await enter(entrance, req)).identity)
        : await authenticator.refresh(refreshToken, (holder) => admission.admit('rest', holder));
    sendJson(res, 200, { tokenType: 'Bearer', ...pair });
  };
}

/** `POST /v1/ws/ticket`: a one-time ticket with which a browser, which cannot send headers, opens `/v1/ws?ticket=…`. */
export function postTicket(entrance: Entrance): Handler {
  return async (req, res) => {
    if (Object.keys(await readObject(req)).length > 0)
      throw new Refusal('malformed', 'Expected no body, or {}.');
    const { identity, expiresAt } = await enter(entrance, req);
    const ticket = await entrance.authenticator.issueTicket(identity, expiresAt);
    sendJson(res, 200, { ticket, expiresIn: 30 });
  };
}

/** Seconds; far below the hour for which a new key is published before it signs. */
const KEYS_CACHE = 300;

/** `GET /.well-known/jwks.json`: the public keys of our tokens (RFC 7517), for others to verify them. */
export function getKeys(authenticator: Authenticator): Handler {
  return async (_req, res) => {
    res.setHeader('Cache-Control', `public, max-age=${KEYS_CACHE}`);
    sendJson(res, 200, await authenticator.jwks());
  };
}
