import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import type { Adapter, Health, HttpApp, Receive } from '../../src/core/adapter.ts';
import type { Answer } from '../../src/core/message.ts';
import type { Source } from '../../src/domain/catalog.ts';
import { SECOND, type Clock } from '../../src/domain/clock.ts';
import { asRefusal, Refusal } from '../../src/domain/errors.ts';
import type { Json } from '../../src/domain/json.ts';
import { causeOf, readBody, route } from '../http.ts';
import { parsePayload } from './payload.ts';
import { refusedAnswer, sendAnswers } from './render.ts';
import { compileRules, visible, type CompiledRule, type Delivery } from './rules.ts';
import { verifierOf } from './verify/index.ts';
import type { Proof, Verify } from './verify/signature.ts';

export interface WebhookOptions {
  readonly workspace: string;
  readonly sources: ReadonlyMap<string, Source>;
  /** The secret values of a source; none: everything from it is refused. */
  readonly secrets: (source: string) => readonly string[];
  readonly receive: Receive;
  readonly http: HttpApp;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes; 1 MiB unless told. */
  readonly maxBody?: number;
  /** Called for each delivery that proved nothing, to be counted: forged traffic leaves no rows. */
  readonly onRefused?: (source: string) => void;
}

/**
 * `POST /webhooks/{source}`: proves a delivery over its raw bytes, then runs the command of every rule whose condition
 * holds, each as a message of its own. The same delivery again gets the same answers.
 * @throws Refusal when a rule does not compile.
 */
export function createWebhookAdapter(options: WebhookOptions): Adapter {
  const endpoints = new Map([...options.sources].map(([name, source]) => [name, endpointOf(source)]));
  const running = new Set<Promise<void>>();
  let closed: string | undefined = 'not started';
  const handle = async (req: Request, res: Response): Promise<void> => {
    if (closed !== undefined)
      throw new Refusal('unavailable', 'Signalbox is stopping or starting.', { retryAfter: 5 * SECOND });
    const endpoint = endpoints.get(String(req.params['source']));
    if (endpoint === undefined) throw new Refusal('not_found', 'There is no webhook source of this name.');
    const work = accept(options, endpoint, req, res);
    running.add(work);
    await work.finally(() => running.delete(work));
  };
  route(options.http, '/webhooks/:source', { post: handle });
  return {
    name: 'webhook',
    start: async () => {
      closed = undefined;
    },
    stop: async (deadline) => {
      closed = 'stopped';
      await Promise.race([Promise.allSettled(running), aborted(deadline)]);
    },
    health: () => (closed === undefined ? healthOf(options) : { state: 'off', reason: closed }),
  };
}

interface Endpoint {
  readonly source: Source;
  readonly verify: Verify;
  readonly rules: readonly CompiledRule[];
}

const endpointOf = (source: Source): Endpoint => ({
  source,
  verify: verifierOf(source),
  rules: compileRules(source),
});

async function accept(
  options: WebhookOptions,
  endpoint: Endpoint,
  req: Request,
  res: Response,
): Promise<void> {
  const { source, verify, rules } = endpoint;
  const raw = await readBody(req, options.maxBody);
  const secrets = options.secrets(source.name).filter((secret) => secret !== '');
  const proof = verify(req.headersDistinct, raw, secrets, options.clock.now());
  if ('refused' in proof) {
    options.onRefused?.(source.name);
    options.log.debug({ source: source.name, reason: proof.refused }, 'webhook refused');
    throw new Refusal('unauthenticated', 'The signature does not prove this delivery.');
  }
  if ('incomplete' in proof) throw new Refusal('malformed', proof.incomplete);
  const delivery = describe(proof, parsePayload(req.headers['content-type'], raw), req);
  sendAnswers(res, await runRules(options, source, rules, delivery));
}

type Genuine = Exclude<Proof, { refused: string } | { incomplete: string }>;

/** @throws Refusal `malformed` for a delivery id that is no short, printable text. */
function describe(proof: Genuine, payload: Json, req: Request): Delivery {
  const id = proof.delivery ?? textOf(payload, 'id');
  if (id === undefined || !/^[\x21-\x7e]{1,200}$/.test(id))
    throw new Refusal('malformed', 'The delivery id has to be 1 to 200 visible ASCII characters.');
  const event = proof.event ?? textOf(payload, 'type') ?? textOf(payload, 'event') ?? '';
  return { id, event, payload, headers: visible(req.headersDistinct), cause: causeOf(req) };
}

function textOf(payload: Json, field: string): string | undefined {
  const value: unknown = Object.getOwnPropertyDescriptor(Object(payload), field)?.value;
  return typeof value === 'string' ? value : undefined;
}

async function runRules(
  { workspace, receive, log }: WebhookOptions,
  source: Source,
  rules: readonly CompiledRule[],
  delivery: Delivery,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const rule of rules) {
    try {
      // One after another: a later rule may build on what an earlier one wrote.
      if (holds(rule, delivery, log)) answers.push(await receive(rule.message(delivery, workspace)));
    } catch (error) {
      const refusal = asRefusal(error);
      log.warn(
        { err: error, source: source.name, rule: rule.name, delivery: delivery.id },
        'webhook rule failed',
      );
      answers.push(refusedAnswer(`${source.name}:${delivery.id}:${rule.name}`, delivery.id, refusal));
    }
  }
  return answers;
}

/**
 * A condition that cannot be evaluated does not hold: sources send many shapes of payload, and an error status for
 * each that a condition was not written for would make the sender retry, and in the end give up on all of them.
 */
function holds(rule: CompiledRule, delivery: Delivery, log: Logger): boolean {
  try {
    return rule.matches(delivery);
  } catch (error) {
    log.warn(
      { err: error, rule: rule.name, delivery: delivery.id },
      'webhook condition could not be evaluated',
    );
    return false;
  }
}

function healthOf({ sources, secrets }: WebhookOptions): Health {
  const mute = [...sources.values()].filter((source) => secrets(source.name).length === 0);
  if (mute.length === 0)
    return sources.size > 0
      ? { state: 'on' }
      : { state: 'off', reason: 'the configuration names no webhook source' };
  const reason = `set ${mute.map((source) => source.secrets.join(' or ')).join(', ')} to hear from ${mute.map((source) => source.name).join(', ')}`;
  return { state: mute.length === sources.size ? 'off' : 'deaf', reason };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
