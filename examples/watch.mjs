// A client of the WebSocket: runs one command and shows live what jobs do and log, until one of them is over.
//
//   SIGNALBOX_URL=http://127.0.0.1:8080 SIGNALBOX_TOKEN=… node examples/watch.mjs 'approve APR-1'
//
// Without a command it watches until Ctrl-C. The frames are described in docs/specs/streams.md.
import { randomUUID } from 'node:crypto';
import process from 'node:process';
import { WebSocket } from 'ws';

const { SIGNALBOX_URL = 'http://127.0.0.1:8080', SIGNALBOX_TOKEN } = process.env;
const command = process.argv[2];
const OVER = ['job.succeeded', 'job.failed', 'job.cancelled'];
/** The newest log line that was shown, by job. */
const cursors = new Map();
/** Ends of jobs whose last log lines were asked for, by the id of the question. */
const ends = new Map();

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

/** The same id again would give the first reply again, so each command has its own. */
const run = (text) => {
  const id = randomUUID();
  send({ type: 'command', id, text });
  return id;
};
const showLine = (job, { cursor, line }) => {
  if (cursor <= (cursors.get(job) ?? 0)) return;
  cursors.set(job, cursor);
  print(`  ${line}`);
};

socket.on('open', () => send({ type: 'subscribe', topics: ['job.*', 'approval.*', 'probe.*', 'log.*'] }));
socket.on('message', (data) => {
  const frame = JSON.parse(data);
  switch (frame.type) {
    case 'subscribed':
      if (command === undefined) print('Watching jobs, approvals and probes.');
      else run(command);
      break;
    case 'event':
      // Events and log lines are two streams: the lines that are still on their way are fetched before the end is shown.
      if (OVER.includes(frame.event))
        ends.set(run(`job logs ${frame.target} --after ${cursors.get(frame.target) ?? 0}`), frame);
      else print(`● ${frame.event} ${frame.target}`);
      break;
    case 'log':
      showLine(frame.job, frame);
      break;
    case 'reply':
      if (ends.has(frame.id)) showEnd(ends.get(frame.id), frame.reply.data?.items ?? []);
      else if (frame.status === 'error') fail(frame.reply.text);
      else print(frame.reply.text);
      break;
    case 'error':
      fail(frame.message);
      break;
  }
});
const showEnd = ({ event, target }, lines) => {
  for (const line of lines) showLine(target, line);
  print(`● ${event} ${target}`);
  if (command !== undefined) socket.close();
};
socket.on('error', (error) => fail(error.message));
socket.on('close', (code) => {
  if (code === 1001) print('Signalbox is stopping.');
});
