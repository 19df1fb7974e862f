import type { Request, Response } from 'express';
import type { Receive } from '../../src/core/adapter.ts';
import type { Command, CommandSet } from '../../src/core/command.ts';
import type { Answer } from '../../src/core/message.ts';
import { may } from '../../src/domain/permission.ts';
import type { Principal } from '../../src/domain/principal.ts';
import {
  causeOf,
  correlate,
  correlationOf,
  decodeBody,
  readObject,
  refusalOf,
  sendJson,
  sendProblem,
  type Handler,
} from '../http.ts';
import { conversationOf, dedupeKeyOf, enter, identify, present, type Entrance } from './caller.ts';
import type { ArgsSchema } from './schema.ts';

export interface CommandsOptions extends Entrance {
  readonly commands: CommandSet;
  readonly receive: Receive;
  readonly schemas: ReadonlyMap<string, ArgsSchema>;
}

/** `POST /v1/commands`: any command, as text or as JSON. */
export function postCommand(options: CommandsOptions): Handler {
  const { authenticator, workspace, receive } = options;
  return async (req: Request, res: Response) => {
    const { identity } = await identify(authenticator, workspace, req);
    const dedupeKey = dedupeKeyOf(req);
    const body = decodeBody(await readObject(req));
    const correlationId = correlationOf(res);
    const cause = causeOf(req);
    const answer = await receive({
      channel: 'rest',
      from: identity,
      body,
      conversation: conversationOf(identity),
      ...(dedupeKey !== undefined && { dedupeKey }),
      ...(correlationId !== undefined && { correlationId }),
      ...(cause !== undefined && { causes: [cause] }),
    });
    sendAnswer(res, answer);
  };
}

/** An answer as it is; 202 while it waits for a person, a problem document when it is a refusal. */
export function sendAnswer(res: Response, answer: Answer): void {
  if (answer.status === 'error') return sendRefused(res, answer);
  correlate(res, answer.correlationId);
  sendJson(res, answer.status === 'ok' ? 200 : 202, answer);
}

/** A repeat carries the correlation id of its first answer. */
export function sendRefused(res: Response, answer: Answer): void {
  correlate(res, answer.correlationId);
  sendProblem(res, refusalOf(answer), { invocation: answer.invocation, correlationId: answer.correlationId });
}

/** `GET /v1/commands`: what the caller may do, with schemas and examples. */
export function listCommands(options: CommandsOptions): Handler {
  const { authenticator, commands, schemas } = options;
  return async (req: Request, res: Response) => {
    const { identity } = await enter(options, req);
    const who = await present(authenticator, identity);
    const items = commands.all
      .filter((command) => allowed(who, command))
      .map((command) => view(command, schemas));
    sendJson(res, 200, { items });
  };
}

const allowed = (who: Principal, { needs }: Command): boolean => needs === 'none' || may(who, needs);

function view(command: Command, schemas: ReadonlyMap<string, ArgsSchema>) {
  const { name, summary, needs, risk, positional, aliases, examples, route } = command;
  return { name, summary, needs, risk, positional, aliases, args: schemas.get(name), examples, route };
}
