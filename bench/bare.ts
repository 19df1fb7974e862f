import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { WebSocketServer } from 'ws';
import { answerQuestions, cpuSeconds } from './child.ts';
import { SECRET } from './server.ts';

/**
 * The bare limit: the same libraries doing the least that could be called the same. Express verifies an HMAC over the
 * raw body, parses it and answers; ws echoes at `/echo`, and at `/loop` sends each message to every socket there.
 */
export type BareQuestion = 'port' | 'cpu';

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.post('/bare', express.raw({ type: 'application/json' }), (req, res) => {
  const raw = req.body as Buffer;
  const given = Buffer.from(req.get('x-signature-256') ?? '', 'hex');
  const expected = createHmac('sha256', SECRET).update(raw).digest();
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    res.status(401).end();
    return;
  }
  const payload = JSON.parse(raw.toString('utf8')) as object;
  res.json({ ok: true, fields: Object.keys(payload).length });
});

const server = createServer(app as never);
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
const loop = new Set<import('ws').WebSocket>();
sockets.on('connection', (socket, request) => {
  if (request.url === '/loop') {
    loop.add(socket);
    socket.on('close', () => loop.delete(socket));
    return;
  }
  socket.on('message', (data: Buffer) => {
    if (request.url === '/trigger') for (const each of loop) each.send(data, { binary: false });
    socket.send(data, { binary: false });
  });
});
server.listen(0, '127.0.0.1');

answerQuestions(async (question: BareQuestion): Promise<number> => {
  if (!server.listening) await once(server, 'listening');
  return question === 'port' ? (server.address() as AddressInfo).port : cpuSeconds();
});
