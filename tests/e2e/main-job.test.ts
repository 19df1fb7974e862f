import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/domain/journal.ts';
import { flipOneByte, verified } from './support/journal.ts';
import { Rest } from './support/rest.ts';
import type { Desk } from './support/socket.ts';
import { soon } from './support/soon.ts';
import { noMail, startWorld, type World } from './support/world.ts';

if (noMail !== undefined)
  process.stderr.write(`skipped: the mail of the main job (its vote comes by REST), because ${noMail}\n`);

const DELIVERY = 'a4f5c3b0-0000-4000-8000-000000000001';
const FAILURE = {
  action: 'completed',
  workflow_run: { conclusion: 'failure', name: 'CI', head_branch: 'main' },
};
const BEN = 'U0BEN';
const OPS = 'C0OPS0001';

/** Ana with her WebSocket and her REST key, and what was asked and answered so far. */
interface Story {
  readonly world: World;
  readonly ana: Rest;
  readonly desk: Desk;
}

describe.each([
  ['http', 'sqlite'],
  ['socket', 'sqlite'],
  ['http', 'postgres'],
] as const)('with Slack over %s, on %s', (mode, database) => {
  test('the main job, from a failed build to a verified journal', async () => {
    const world = await startWorld(mode, database);
    const opened = await aFailedBuildOpensATask(world);
    const anasKey = await world.keyOf('ana', 'cli');
    const desk = await world.desk(anasKey);
    const story = { world, desk, ana: new Rest(world.app.url, await world.keyOf('ana', 'rest')) };
    await desk.subscribe('job.*', 'approval.*', 'log.*', 'probe.*');

    const asked = await aDeploymentWaits(story);
    const refusals = await theRequesterMayNotApprove(story);
    const click = await benApprovesInSlack(story);
    const vote = await choApprovesByMail(story);
    await theJobRunsOnceAndStreams(story);
    await noCardKeepsItsButtons(world);
    await aProbesResultReachesSubscribers(story);
    const noted = await story.ana.command('task comment TSK-1 "Deployed"', { 'idempotency-key': 'note-1' });
    expect(noted).toMatchObject({ status: 200, body: { status: 'ok' } });

    const { entries } = await world.admin.journal();
    causesAreCarried(entries, asked.correlationId, refusals);
    expect(entries.at(-1)).toMatchObject({
      event: 'task.commented',
      correlationId: noted.body.correlationId,
    });
    await changesNothing(world, async () => {
      expect(await world.github('workflow_run', DELIVERY, FAILURE)).toEqual(opened);
      expect(await click()).toEqual(1);
      await vote();
      const repeated = await story.ana.command('task comment TSK-1 "Deployed"', {
        'idempotency-key': 'note-1',
      });
      expect(repeated).toEqual(noted);
      const other = await story.ana.command('task comment TSK-1 "Else"', { 'idempotency-key': 'note-1' });
      expect(other).toMatchObject({ status: 422, body: { code: 'key_reused' } });
      const elsewhere = await world.desk(anasKey);
      expect(await elsewhere.command('deploy', 'job run deploy --env staging')).toEqual(asked);
    });
    await theJournalVerifies(world);
  }, 30_000);
});

async function aFailedBuildOpensATask(world: World) {
  const answer = await world.github('workflow_run', DELIVERY, FAILURE);
  expect(answer).toMatchObject({
    status: 200,
    body: { results: [{ status: 'ok', correlationId: DELIVERY, reply: { data: { id: 'TSK-1' } } }] },
  });
  const tasks = await world.admin.get('/v1/tasks');
  expect(tasks.body.items).toMatchObject([
    { id: 'TSK-1', title: 'Build failed: CI on main', priority: 'P1', state: 'queued' },
  ]);
  return answer;
}

async function aDeploymentWaits({ desk, ana }: Story) {
  const asked = await desk.command('deploy', 'job run deploy --env staging');
  expect(asked).toMatchObject({
    status: 'pending_approval',
    invocation: { command: 'job.run', args: { runbook: 'deploy', args: { env: 'staging' } } },
    reply: { data: { approval: 'APR-1', target: 'JOB-1' } },
  });
  expect(await desk.seen({ event: 'approval.requested' })).toMatchObject({ target: 'APR-1' });
  expect(await ana.get('/v1/jobs/JOB-1')).toMatchObject({ body: { state: 'waiting', approval: 'APR-1' } });
  return asked;
}

/** On every channel, whatever the identity: it is the person who may not. Returns the channels and their correlation. */
async function theRequesterMayNotApprove({
  world,
  desk,
  ana,
}: Story): Promise<Map<string, string | undefined>> {
  const bySocket = await desk.command('own', 'approve APR-1');
  expect(bySocket).toMatchObject({ status: 'error', error: { code: 'forbidden' } });
  expect(bySocket.reply.text).toContain('somebody else has to decide');
  const byRest = await ana.post('/v1/approvals/APR-1/decision', { decision: 'approve' });
  expect(byRest).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  const bySlack = await world.slack.slashCommand('approve APR-1', { user: 'U0ANA', channel: OPS });
  const shown = JSON.stringify(bySlack.body);
  expect(shown).toContain('somebody else has to decide');
  const refusals = new Map([
    ['websocket', bySocket.correlationId],
    ['rest', byRest.body.correlationId],
    ['slack', /forbidden · ([\w-]+)/.exec(shown)?.[1]],
  ]);
  if (!world.mail) return refusals;
  // Even with the token of Cho's own mail in her hands.
  const asked = await world.mail.received('cho@good.test');
  const stolen = await world.mail.answer(asked, 'ana@good.test', 'approve', '<stolen@good.test>');
  await world.mail.deliver(stolen);
  const answer = await world.mail.received('ana@good.test', '<stolen@good.test>');
  expect(answer.text).toContain('needs the token');
  return refusals.set('email', undefined);
}

/** Returns the same click again, which tells how many votes stand. */
async function benApprovesInSlack({ world, desk, ana }: Story): Promise<() => Promise<number>> {
  const { slack } = world;
  const card = await soon(() => {
    const found = slack.messages.find(({ channel }) => channel === slack.dmOf(BEN));
    if (!found) throw new Error('no card');
    return { ...found };
  });
  expect(card.text).toContain('job run deploy --env staging');
  const click = async () => {
    const told = slack.responseUrlPosts.length;
    await slack.clickButton(card, 'Approve', BEN, { triggerId: 'trigger-1' });
    return soon(() => {
      const post = slack.responseUrlPosts[told];
      if (!post) throw new Error('the clicker was not told');
      return post.text;
    });
  };
  const first = await click();
  expect(first).toContain('your vote counts');
  expect(await desk.seen({ event: 'approval.voted', actor: 'ben' })).toMatchObject({
    target: 'APR-1',
    details: { channel: 'slack' },
  });
  expect(await ana.get('/v1/jobs/JOB-1')).toMatchObject({ body: { state: 'waiting' } });
  return async () => {
    expect(await click()).toBe(first);
    return desk.all({ event: 'approval.voted', actor: 'ben' }).length;
  };
}

/** Returns the same mail again. */
async function choApprovesByMail({ world, desk }: Story): Promise<() => Promise<void>> {
  const { mail } = world;
  if (!mail) return choApprovesByRest(world);
  const asked = await mail.received('cho@good.test');
  expect(asked.subject).toContain('[APR-1]');
  const letter = await mail.answer(asked, 'cho@good.test', 'approve', '<vote@good.test>');
  await mail.deliver(letter);
  expect(await desk.seen({ event: 'approval.voted', actor: 'cho' })).toMatchObject({
    details: { channel: 'email', assurance: 'dkim' },
  });
  const answer = await mail.received('cho@good.test', '<vote@good.test>');
  expect(answer.text).toContain('You approved APR-1');
  return async () => {
    const sent = mail.sent.length;
    await mail.deliver(letter);
    expect(mail.sent).toHaveLength(sent);
  };
}

async function choApprovesByRest({ app, keyOf }: World): Promise<() => Promise<void>> {
  const cho = new Rest(app.url, await keyOf('cho', 'cli'));
  const vote = () => cho.command('approve APR-1', { 'idempotency-key': 'vote-1' });
  const first = await vote();
  expect(first.body.reply?.text).toContain('You approved APR-1');
  return async () => expect(await vote()).toEqual(first);
}

async function theJobRunsOnceAndStreams({ world, desk, ana }: Story): Promise<void> {
  await desk.seen({ event: 'job.started', target: 'JOB-1' });
  await desk.seen({ type: 'log', job: 'JOB-1', line: 'Deploying to staging' });
  // The deployment waits at the gate: what was seen of it came while it ran.
  expect(await ana.get('/v1/jobs/JOB-1')).toMatchObject({ body: { state: 'running' } });
  world.target.open();
  await desk.seen({ event: 'job.succeeded', target: 'JOB-1' });
  await desk.seen({ type: 'log', job: 'JOB-1', line: 'Live on staging' });
  expect(world.deployments()).toEqual(['staging']);
  const events = desk.frames.flatMap(({ event, target }) => (target === 'JOB-1' ? [event] : []));
  expect(events).toEqual(['job.waiting', 'job.queued', 'job.assigned', 'job.started', 'job.succeeded']);
}

async function noCardKeepsItsButtons({ slack }: World): Promise<void> {
  // First the votes so far, unless the decision came before those were out.
  const card = await soon(() => {
    const last = slack.updates.at(-1);
    expect(last?.text).toContain('APR-1 approved');
    return last;
  });
  expect(card?.blocks.some(({ type }) => type === 'actions')).toBe(false);
  expect(new Set(slack.updates.map(({ channel, ts }) => `${channel} ${ts}`))).toEqual(
    new Set([`${slack.dmOf(BEN)} ${card?.ts}`]),
  );
}

async function aProbesResultReachesSubscribers({ world, desk, ana }: Story): Promise<void> {
  const subscribed = await ana.command(`subscribe probe.* --to slack:${OPS}`);
  expect(subscribed.status).toBe(200);
  expect(await desk.command('ask', 'probe run web')).toMatchObject({ status: 'ok' });
  expect(await desk.seen({ event: 'probe.ok' })).toMatchObject({ target: 'web', details: { job: 'JOB-2' } });
  await soon(() => {
    const told = world.slack.messages.filter(({ channel }) => channel === OPS);
    expect(told.map(({ text }) => text)).toEqual([expect.stringContaining('probe.ok web')]);
  });
  expect(await ana.get('/v1/probes/web')).toMatchObject({ body: { state: 'ok', failures: [] } });
  expect(world.target.asked()).toBe(1);
}

/** From each message to everything that it led to. */
function causesAreCarried(
  entries: readonly JournalEntry[],
  deployment: string,
  refusals: ReadonlyMap<string, string | undefined>,
): void {
  const of = (correlationId: string) => entries.filter((entry) => entry.correlationId === correlationId);
  const [accepted, created] = of(DELIVERY);
  expect(accepted).toMatchObject({ event: 'command.accepted', cause: `webhook:github:${DELIVERY}` });
  expect(created).toMatchObject({ event: 'task.created', target: 'TSK-1', cause: accepted?.id });

  const [request, ...led] = of(deployment);
  expect(request).toMatchObject({ event: 'command.accepted', actor: 'ana', target: 'job.run' });
  for (const event of ['job.waiting', 'approval.requested', 'job.assigned', 'job.started', 'job.succeeded'])
    expect(led, event).toContainEqual(expect.objectContaining({ event, cause: request?.id }));

  const denied = entries.filter(({ event }) => event === 'command.denied');
  expect(denied.map(({ actor, details }) => [actor, details['channel']])).toEqual(
    [...refusals.keys()].map((channel) => ['ana', channel]),
  );
  for (const [index, answered] of [...refusals.values()].entries())
    if (answered !== undefined) expect(denied[index]?.correlationId).toBe(answered);
  const queued = entries.find(({ event, target }) => event === 'job.queued' && target === 'JOB-1');
  const released = entries.find(({ id }) => id === queued?.cause);
  expect(released).toMatchObject({
    event: 'command.accepted',
    actor: 'ana',
    target: 'job.run',
    details: { approval: 'APR-1' },
  });
  for (const voter of ['ben', 'cho']) {
    const vote = entries.find(({ event, actor }) => event === 'approval.voted' && actor === voter);
    const command = entries.find(({ id }) => id === vote?.cause);
    expect(command).toMatchObject({ event: 'command.accepted', correlationId: vote?.correlationId });
  }
}

/** Everything that can be counted, and the journal entry by entry. */
async function state({ admin, deployments }: World) {
  const { entries } = await admin.journal();
  const lists = ['/v1/tasks', '/v1/tasks/TSK-1', '/v1/jobs', '/v1/approvals/APR-1', '/v1/subscriptions'];
  const views = await Promise.all(lists.map((path) => admin.get(path)));
  return { entries, views, deployments: deployments() };
}

async function changesNothing(world: World, repeat: () => Promise<void>): Promise<void> {
  const before = await state(world);
  expect(before.views.map(({ status }) => status)).toEqual(before.views.map(() => 200));
  await repeat();
  expect(await state(world)).toEqual(before);
}

/** While it runs, and without it: the database file, an export, and a copy that somebody has touched. */
async function theJournalVerifies({ app, admin, database, folder }: World): Promise<void> {
  const online = await admin.command('audit verify');
  expect(online).toMatchObject({ status: 200, body: { reply: { data: { ok: true } } } });
  const { entries, jsonl } = await admin.journal();
  const exported = join(folder, 'journal.jsonl');
  writeFileSync(exported, jsonl);
  await app.stop();

  expect(await verified(exported)).toEqual([0, expect.stringContaining(`${entries.length} entries hold`)]);
  if (database === undefined) return;
  expect(await verified(database)).toEqual([0, expect.stringContaining(`${entries.length} entries hold`)]);
  const broken = join(folder, 'broken.db');
  copyFileSync(database, broken);
  const seq = flipOneByte(broken, entries);
  expect(await verified(broken)).toEqual([1, expect.stringContaining(`entry ${seq} is broken`)]);
}
