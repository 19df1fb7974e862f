// Runs one command over the WebSocket and shows what jobs do and log, live, until one is over:
//
//   SIGNALBOX_URL=http://127.0.0.1:8080 SIGNALBOX_TOKEN=sb_… node examples/watch.mjs 'approve APR-1'
//
// Without a command it only watches, until Ctrl-C. The frames are described in docs/specs/message-schema.md.
import { randomUUID } from 'node:crypto';
import process from 'node:process';
import { WebSocket } from 'ws';

const { SIGNALBOX_URL = 'http://127.0.0.1:8080', SIGNALBOX_TOKEN } = process.env;
const command = process.argv[2];
const OVER = ['job.succeeded', 'job.failed', 'job.cancelled'];

const socket = new WebSocket(`${SIGNALBOX_URL.replace('http', 'ws')}/v1/ws`, 'signalbox.v1', {
  headers: { authorization: `Bearer ${SIGNALBOX_TOKEN}` },
});
const send = (frame) => socket.send(JSON.stringify(frame));
// Escape sequences in a job's output are not for this terminal.
const print = (text) => process.stdout.write(`${text.replaceAll(/[^\P{Cc}\n\t]/gu, '�')}\n`);

socket.on('open', () => {
  send({ type: 'subscribe', topics: ['job.*', 'log.*'] });
  // The same id again would give the first reply again.
  if (command !== undefined) send({ type: 'command', id: randomUUID(), text: command });
});
socket.on('message', (data) => {
  const frame = JSON.parse(data);
  if (frame.type === 'reply') print(frame.reply.text);
  if (frame.type === 'event') print(`● ${frame.event} ${frame.target}`);
  if (frame.type === 'log') print(`  ${frame.line}`);
  if (frame.type === 'error') print(`✗ ${frame.message}`);
  if (frame.status === 'error' || frame.type === 'error') process.exitCode = 1;
  if (command !== undefined && (OVER.includes(frame.event) || process.exitCode === 1)) socket.close();
});
socket.on('error', (error) => {
  print(`✗ ${error.message}`);
  process.exitCode = 1;
});
