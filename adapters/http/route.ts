import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import type { HttpApp } from '../../src/core/adapter.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { sendProblem } from './problem.ts';

export type Method = 'get' | 'post' | 'patch' | 'delete';
export type Handler = (req: Request, res: Response) => void | Promise<void>;

/** Mounts the handlers of one path (express's notation) and answers every other method with 405 and `Allow`. */
export function route(app: HttpApp, path: string, handlers: { readonly [M in Method]?: Handler }): void {
  const methods = Object.entries(handlers) as [Method, Handler][];
  const allow = allowed(methods.map(([method]) => method));
  const entry = app.route(path);
  for (const [method, handler] of methods) entry[method](handler);
  entry.all((req, res) => refuseMethod(req, res, allow));
}

function allowed(methods: readonly Method[]): string {
  const names = methods.map((method) => method.toUpperCase());
  if (names.includes('GET')) names.push('HEAD');
  return [...names, 'OPTIONS'].join(', ');
}

function refuseMethod(req: IncomingMessage, res: ServerResponse, allow: string): void {
  res.setHeader('Allow', allow);
  if (req.method === 'OPTIONS') {
    res.writeHead(204);
    res.end();
    return;
  }
  sendProblem(
    res,
    new Refusal('method_not_allowed', `${req.method} is not allowed here; allowed: ${allow}.`),
  );
}
