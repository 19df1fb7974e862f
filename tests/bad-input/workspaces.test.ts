import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { problem, realApp } from './world.ts';

test('ids, keys and tokens of another workspace on the same database are nobody’s here', async () => {
  const theirs = await realApp({ workspace: 'theirs' });
  await theirs.command('task create hidden --description their-secret-plan');
  const eve = await theirs.command('person add eve --roles admin --key');
  const key = /sb_\S+/.exec(eve.reply.text)?.[0] ?? '';
  expect((await theirs.call('/v1/tasks', { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
  const pair = (await (await theirs.post('/v1/tokens', {})).json()) as {
    accessToken: string;
    refreshToken: string;
  };
  const ticket = (await (await theirs.post('/v1/ws/ticket', {})).json()) as { ticket: string };

  const ours = await realApp({ folder: theirs.folder, workspace: 'ours' });
  for (const path of ['/v1/tasks/TSK-1', '/v1/jobs/JOB-1', '/v1/approvals/APR-1'])
    expect(await problem(await ours.call(path)), path).toEqual({ status: 404, code: 'not_found' });
  for (const text of [
    'task show TSK-1',
    'task move TSK-1 claimed',
    'task comment TSK-1 hello',
    'key revoke x',
  ])
    expect((await ours.post('/v1/commands', { text })).status, text).toBe(404);
  expect((await ours.post('/v1/commands', { text: 'task assign TSK-1 eve' })).status).toBe(404);
  for (const bearer of [pair.accessToken, key])
    expect((await ours.call('/v1/tasks', { headers: { authorization: `Bearer ${bearer}` } })).status).toBe(
      401,
    );
  expect(
    (await ours.post('/v1/tokens', { refreshToken: pair.refreshToken }, { authorization: '' })).status,
  ).toBe(401);
  const upgrade = new WebSocket(`${ours.app.url.replace('http', 'ws')}/v1/ws?ticket=${ticket.ticket}`, [
    'signalbox.v1',
  ]);
  const [{ message }] = (await once(upgrade, 'error')) as [Error];
  expect(message).toContain('401');

  // Its own TSK-1 is another one, and neither list nor journal shows the first.
  await ours.command('task create ours');
  expect(await ours.titles()).toEqual(['ours']);
  expect(await theirs.titles()).toEqual(['hidden']);
  const everything = await (await ours.call('/v1/events')).text();
  expect(everything).toContain('"target":"TSK-1"');
  expect(everything).not.toMatch(/their-secret-plan|hidden|"eve"/);
  const found = await ours.command('audit search --limit 200');
  expect(JSON.stringify(found)).not.toMatch(/their-secret-plan|hidden|"eve"/);
  expect(await ours.close()).toMatch(/✓ ours: .*\n✓ theirs: /);
  await theirs.close();
});
