import type { isValidSlackRequest } from '@slack/bolt';
import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import type { HttpApp } from '../../../src/core/adapter.ts';
import { MINUTE, type Clock } from '../../../src/domain/clock.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { isObject } from '../../../src/domain/json.ts';
import { parseJson, readBody, route, sendProblem } from '../../http.ts';
import type { Handled, Intake } from './intake.ts';
import { isFromSlack } from './signature.ts';

export interface HttpModeOptions {
  readonly app: HttpApp;
  readonly intake: Intake;
  readonly signingSecret: string;
  readonly isValid: typeof isValidSlackRequest;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onRefused: () => void;
}

/** `POST /slack/events`: commands, events and clicks. The raw bytes are checked before anything is read of them. */
export function mountHttpMode(options: HttpModeOptions): void {
  route(options.app, '/slack/events', { post: handler(options) });
}

function handler({ intake, signingSecret, isValid, clock, log, onRefused }: HttpModeOptions) {
  const forged = forgeryLog(clock, log);
  return async (req: Request, res: Response): Promise<void> => {
    const raw = (await readBody(req)).toString('utf8');
    if (isSslCheck(req, raw)) return void res.end();
    if (!isFromSlack(req.headers, raw, { signingSecret, isValid, now: clock.now() })) {
      forged();
      onRefused();
      throw new Refusal('unauthenticated', 'The signature or its time is wrong.');
    }
    const body = parse(req.get('content-type') ?? '', raw);
    if (body['ssl_check'] === '1') return void res.end();
    if (body['type'] === 'url_verification') return void res.json({ challenge: String(body['challenge']) });
    answer(res, await intake.handle({ body, ...retry(req) }));
  };
}

const REFUSED = {
  403: new Refusal('forbidden', 'This is not the team that is connected here.'),
  500: new Refusal('internal', 'Something went wrong inside; deliver it again.'),
  503: new Refusal('unavailable', 'Not started, or stopping; deliver it again.'),
};

function answer(res: Response, { status, body }: Handled): void {
  if (status === 403) res.set('x-slack-no-retry', '1');
  if (status !== 200) sendProblem(res, REFUSED[status]);
  else if (body === undefined || body === '') res.end();
  else res.json(body);
}

/** Slack's check of the certificate is not always signed; nothing in it is used (docs.slack.dev, slash commands). */
const isSslCheck = (req: Request, raw: string): boolean =>
  req.get('x-slack-signature') === undefined && /(?:^|&)ssl_check=1(?:&|$)/.test(raw);

/** Slash commands are forms, clicks a form with one JSON field, events JSON. */
function parse(contentType: string, raw: string): Record<string, unknown> {
  if (!contentType.startsWith('application/x-www-form-urlencoded')) return object(raw);
  const form = new URLSearchParams(raw);
  const payload = form.get('payload');
  return payload === null ? Object.fromEntries(form) : object(payload);
}

function object(text: string): Record<string, unknown> {
  const value = parseJson(Buffer.from(text));
  if (isObject(value)) return { ...value };
  throw new Refusal('malformed', 'Expected a JSON object.');
}

function retry(req: Request): { retryNum?: number; retryReason?: string } {
  const retryNum = Number(req.get('x-slack-retry-num') ?? Number.NaN);
  const retryReason = req.get('x-slack-retry-reason');
  return {
    ...(Number.isInteger(retryNum) ? { retryNum } : {}),
    ...(retryReason === undefined ? {} : { retryReason }),
  };
}

/** A wrong secret has to be seen, a flood of forged requests must not fill the log: one line a minute, with a count. */
function forgeryLog(clock: Clock, log: Logger): () => void {
  let count = 0;
  let quietUntil = 0;
  return () => {
    count += 1;
    const now = clock.now().getTime();
    if (now < quietUntil) return;
    log.warn({ count }, 'slack requests refused: signature or timestamp is wrong');
    count = 0;
    quietUntil = now + MINUTE;
  };
}
