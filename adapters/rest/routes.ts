import type { Request, Response } from 'express';
import type { HttpApp } from '../../src/core/adapter.ts';
import type { Command, FileData, Route } from '../../src/core/command.ts';
import type { Answer, Inbound } from '../../src/core/message.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { causeOf, correlate, correlationOf, route, sendJson, type Handler, type Method } from '../http.ts';
import { argumentsOf } from './arguments.ts';
import { conversationOf, dedupeKeyOf, identify } from './caller.ts';
import { sendAnswer, sendRefused, type CommandsOptions } from './commands.ts';
import { ifMatchOf, isHeld, tagOf } from './conditional.ts';
import { sendFile } from './file.ts';
import type { ArgsSchema } from './schema.ts';
import { receiveWaiting, type WaitingOptions } from './waiting.ts';

type RoutesOptions = CommandsOptions & WaitingOptions;

/**
 * Mounts the routes that commands declare. A path with fixed words is mounted before one with parameters in their
 * place, so `/v1/jobs/claim` is not taken for a job.
 * @throws Error when two commands declare the same method and path.
 */
export function mountRoutes(http: HttpApp, options: RoutesOptions, own: Handlers = new Map()): void {
  const paths = new Map<string, { [M in Method]?: Handler }>(
    [...own].map(([path, handlers]) => [path, { ...handlers }]),
  );
  for (const command of options.commands.all) {
    if (command.route === undefined) continue;
    const { method, path } = command.route;
    const handlers = paths.get(path) ?? {};
    if (handlers[method])
      throw new Error(`${command.name}: ${method} ${path} is the route of another command.`);
    handlers[method] = runRoute(options, command, command.route);
    paths.set(path, handlers);
  }
  for (const [path, handlers] of [...paths].toSorted(([a], [b]) => (rank(a) < rank(b) ? -1 : 1)))
    route(http, path.replaceAll(/\{(\w+)\}/g, ':$1'), handlers);
}

/** The adapter's own handlers by path, in OpenAPI's notation; commands may add methods to the same paths. */
export type Handlers = ReadonlyMap<string, { readonly [M in Method]?: Handler }>;

/** Sorts parameters after every fixed word. */
const rank = (path: string): string => path.replaceAll(/\{\w+\}/g, '\u{ffff}');

function runRoute(options: RoutesOptions, command: Command, spec: Route): Handler {
  const schema: ArgsSchema = options.schemas.get(command.name) ?? { type: 'object', properties: {} };
  return async (req: Request, res: Response) => {
    const { identity } = await identify(options.authenticator, options.workspace, req);
    const ifMatch = ifMatchOf(req, spec.ifMatch === 'required');
    const dedupeKey = spec.method === 'get' ? undefined : dedupeKeyOf(req);
    const args = await argumentsOf(req, schema, spec);
    const correlationId = correlationOf(res);
    const cause = causeOf(req);
    const message: Inbound = {
      channel: 'rest',
      from: identity,
      body: { command: command.name, args },
      conversation: conversationOf(identity),
      ...(ifMatch !== undefined && { ifMatch }),
      ...(dedupeKey !== undefined && { dedupeKey }),
      ...(correlationId !== undefined && { correlationId }),
      ...(cause !== undefined && { causes: [cause] }),
    };
    const { waits } = spec;
    const seconds = waits ? waitOf(args) : 0;
    const answer =
      waits && seconds > 0
        ? await receiveWaiting(options, res, { message, command: command.name, args, waits, seconds })
        : await options.receive(message);
    sendResource(req, res, answer, spec);
  };
}

/** Seconds; what is no such number is refused by the command. */
const waitOf = ({ wait }: JsonObject): number => (typeof wait === 'number' && wait <= 30 ? wait : 0);

/** The data of the answer as the resource itself, with its tag and, when new, its place. */
function sendResource(req: Request, res: Response, answer: Answer, spec: Route): void {
  if (answer.status === 'error') return sendRefused(res, answer);
  if (answer.status !== 'ok') return sendAnswer(res, answer);
  correlate(res, answer.correlationId);
  const data: Json = answer.reply.data ?? { text: answer.reply.text };
  if (spec.sends === 'file') return sendFile(req, res, data as unknown as FileData);
  const tag = tagOf(data);
  if (tag !== undefined) {
    res.setHeader('ETag', tag);
    res.setHeader('Cache-Control', 'private, no-cache');
    if (spec.method === 'get' && isHeld(req, tag)) {
      res.writeHead(304).end();
      return;
    }
  }
  const id = spec.status === 201 ? idOf(data) : undefined;
  if (id !== undefined) res.setHeader('Location', `${spec.path}/${encodeURIComponent(id)}`);
  sendJson(res, spec.status ?? 200, data);
}

function idOf(data: Json): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const fields = data as JsonObject;
  const id = fields['id'] ?? fields['ref'];
  return typeof id === 'string' ? id : undefined;
}
