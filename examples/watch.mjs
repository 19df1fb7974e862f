// A client of the WebSocket: runs one command and shows live what jobs do and log, until one of them is over.
//
//   SIGNALBOX_URL=http://127.0.0.1:8080 SIGNALBOX_TOKEN=… node examples/watch.mjs 'approve APR-1'
//
// Without a command it watches until Ctrl-C. The frames are described in docs/specs/message-schema.md.
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
// Escape sequences in what a job prints are not for this terminal.
const print = (text) => process.stdout.write(`${text.replaceAll(/(?![\n\t])\p{Cc}/gu, '�')}\n`);
const fail = (text) => {
  print(`✗ ${text}`);
  process.exitCode = 1;
  socket.close();
};

socket.on('open', () => send({ type: 'subscribe', topics: ['job.*', 'approval.*', 'probe.*', 'log.*'] }));
socket.on('message', (data) => {
  const frame = JSON.parse(data);
  if (frame.type === 'subscribed') {
    // The same id again would give the first reply again.
    if (command !== undefined) send({ type: 'command', id: randomUUID(), text: command });
    else print('Watching jobs, approvals and probes.');
  } else if (frame.type === 'reply') {
    if (frame.status === 'error') fail(frame.reply.text);
    else print(frame.reply.text);
  } else if (frame.type === 'event') {
    print(`● ${frame.event} ${frame.target}`);
    if (command !== undefined && OVER.includes(frame.event)) socket.close();
  } else if (frame.type === 'log') {
    print(`  ${frame.line}`);
  } else if (frame.type === 'error') {
    fail(frame.message);
  }
});
socket.on('error', (error) => fail(error.message));
socket.on('close', (code) => {
  if (code === 1001) print('Signalbox is stopping.');
});
