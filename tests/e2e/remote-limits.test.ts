import { expect, test } from 'vitest';
import { Client } from '../../examples/remote-worker/client.ts';
import { remoteWorld, SERVERS } from './support/remote.ts';
import { Rest } from './support/rest.ts';

test('with the usual limits a worker that beats more often than others may send keeps its jobs', async () => {
  const { admin, url, token } = await remoteWorld(SERVERS[0], '');
  const client = new Client(url, token);
  await admin.command('job run count --to 1');
  const [job] = await client.claim(['counting']);
  if (!job) throw new Error('nothing was claimed');
  const rest = new Rest(url, token);
  for (let n = 0; n < 150; n += 1) {
    const { status } = await rest.post(`/v1/jobs/${job.id}/heartbeat`, { claim: job.claim });
    expect(status).toBe(200);
  }
  // What it is refused otherwise costs it no claim.
  while ((await rest.get('/v1/commands')).status === 200);
  expect((await rest.get('/v1/commands')).status).toBe(429);
  expect(await client.heartbeat(job)).toMatchObject({ stop: null });
});

test('waiting for work among others’ does not use up what a sender may send', async () => {
  const { admin, url, token } = await remoteWorld(SERVERS[0], 'limits: { perSender: 10 }');
  const waiting = new Rest(url, token).post('/v1/jobs/claim', { capabilities: ['counting'], wait: 5 });
  const others = [];
  for (const name of ['a', 'b', 'c']) {
    const { body } = await admin.command(`key create ${name} --for admin`);
    others.push(new Rest(url, String(body.reply?.data['key'])));
  }
  const end = performance.now() + 4_500;
  for (let n = 0; performance.now() < end; n += 1) {
    await others[n % 3]?.command('job run noop');
    await new Promise((resolve) => setTimeout(resolve, 170));
  }
  const { status, body } = await waiting;
  expect([status, body.items]).toEqual([200, []]);
});
