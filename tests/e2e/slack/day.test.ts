import { describe, expect, test } from 'vitest';
import type { PostedMessage } from '../../fakes/slack/messages.ts';
import { Rest } from '../support/rest.ts';
import type { Desk } from '../support/socket.ts';
import { soon } from '../support/soon.ts';
import { startWorld, type World } from '../support/world.ts';

/** Ana's new account in Slack, that nobody knows yet. */
const ANA = 'U0ANANEW';
const BEN = 'U0BEN';
const GENERAL = 'C0GENERAL';
const OPS = 'C0OPS0001';

/** Ana asks in Slack, Ben decides in Slack, Cho on a WebSocket. */
describe.each(['http', 'socket'] as const)('a day in Slack, over %s', (mode) => {
  test('from the link of an identity to a denial with its reason', async () => {
    const world = await startWorld(mode, 'sqlite', { mail: false });
    world.slack.addChannel({ id: GENERAL, name: 'general' });
    world.slack.addChannel({ id: OPS, name: 'ops' });
    await anaLinksHerAccount(world);
    await aTaskByModal(world);
    await newsGoToOps(world);
    const first = await aDeploymentIsAskedThrice(world);
    await benApprovesByButton(world);
    await world.restart();
    await homeSays(world, BEN, { with: ['Nothing waits for your vote', 'waits for APR-1'] });
    await choApprovesOnTheWebSocket(world, 'APR-1');
    await theJobsMessageChangesInPlace(world, first);
    await benDeniesWithAReason(world);
    await aMessageBecomesATask(world);
    const { body } = await world.admin.command('audit verify');
    expect(body).toMatchObject({ reply: { data: { ok: true } } });
  }, 60_000);
});

async function anaLinksHerAccount(world: World): Promise<void> {
  const { slack, app } = world;
  const stranger = await slack.slashCommand('whoami', { user: ANA, channel: GENERAL });
  expect(shown(stranger.body)).toContain('not linked to anybody');
  const offered = await slack.slashCommand('link', { user: ANA, channel: GENERAL });
  const code = /link (\w{5}-\w{5})/.exec(shown(offered.body))?.[1] ?? 'no code';
  const ana = new Rest(app.url, await world.keyOf('ana', 'cli'));
  expect(await ana.command(`link ${code}`)).toMatchObject({ status: 200 });
  const known = await slack.slashCommand('whoami', { user: ANA, channel: GENERAL });
  expect(shown(known.body)).toContain('ana');
}

async function aTaskByModal(world: World): Promise<void> {
  const { slack } = world;
  await slack.openHome(ANA);
  await homeSays(world, ANA, { without: ['TSK-1'] });
  await slack.slashCommand('task create', { user: ANA, channel: GENERAL });
  expect(slack.modals(ANA)).toHaveLength(1);
  await slack.submitModal(ANA, { Title: 'Fix the gate', Priority: 'P1', Owner: 'nobody-here' });
  expect(shown(slack.modals(ANA))).toContain('nobody-here');
  // What was typed stays.
  await slack.submitModal(ANA, { Owner: 'ana' });
  expect(slack.modals(ANA)).toHaveLength(0);
  const { body } = await world.admin.get('/v1/tasks');
  expect(body.items).toMatchObject([{ id: 'TSK-1', title: 'Fix the gate', priority: 'P1', owner: 'ana' }]);
  await soon(() => expect(slack.responseUrlPosts.at(-1)?.text).toContain('Opened TSK-1'));
  await homeSays(world, ANA, { with: ['TSK-1', 'Fix the gate'] });
}

async function newsGoToOps({ slack }: World): Promise<void> {
  const asked = await slack.slashCommand(`subscribe approval.* --to <#${OPS}|ops>`, {
    user: ANA,
    channel: GENERAL,
    command: '/sb',
  });
  expect(shown(asked.body)).toContain('#ops');
}

/** Slack delivers the same event three times: one job, one answer. Returns where it stands. */
async function aDeploymentIsAskedThrice(world: World): Promise<PostedMessage> {
  const { slack } = world;
  const same = { user: ANA, channel: GENERAL, eventId: 'Ev0DEPLOY' };
  for (let i = 0; i < 3; i++) await slack.event(`<@${slack.botUser}> job run deploy --env staging`, same);
  const answer = await soon(() => found(world, GENERAL, 'APR-1'));
  const { body } = await world.admin.get('/v1/jobs');
  expect(body.items).toMatchObject([{ id: 'JOB-1', state: 'waiting' }]);
  expect(slack.messages.filter(({ channel }) => channel === GENERAL)).toHaveLength(1);
  await soon(() => found(world, OPS, 'approval.requested'));
  await slack.openHome(BEN);
  await homeSays(world, BEN, { with: ['APR-1', 'job run deploy --env staging'] });
  await homeSays(world, ANA, { with: ['JOB-1'] });
  return answer;
}

async function benApprovesByButton(world: World): Promise<void> {
  const { slack } = world;
  const card = await soon(() => found(world, slack.dmOf(BEN), 'APR-1'));
  expect(JSON.stringify(card.blocks)).toMatch(/<!date\^\d+\^[^|]*\{ago\}/);
  await slack.clickButton(card, 'Details', BEN);
  await soon(() => expect(slack.responseUrlPosts.at(-1)?.text).toContain('Digest'));
  // A double click is one vote.
  await Promise.all([1, 2].map(() => slack.clickButton(card, 'Approve', BEN)));
  await soon(() => expect(JSON.stringify(found(world, card.channel, 'APR-1').blocks)).toContain('ben'));
  await homeSays(world, BEN, { without: ['Approve'] });
  const { body } = await world.admin.get('/v1/approvals/APR-1');
  expect(body).toMatchObject({ state: 'pending', votes: [{ voter: 'ben', channel: 'slack' }] });
}

async function choApprovesOnTheWebSocket(world: World, request: string): Promise<void> {
  const desk: Desk = await world.desk(await world.keyOf('cho', 'desk'));
  expect(await desk.command('vote', `approve ${request}`)).toMatchObject({ status: 'ok' });
  await desk.leave();
  const { slack } = world;
  const card = await soon(() => {
    const decided = found(world, slack.dmOf(BEN), request);
    expect(JSON.stringify(decided.blocks)).toContain('approved');
    return decided;
  });
  expect(buttonsOf(card)).toEqual([]);
}

async function theJobsMessageChangesInPlace(world: World, answer: PostedMessage): Promise<void> {
  const { slack } = world;
  await homeSays(world, ANA, { with: ['JOB-1', 'running'] });
  world.target.open();
  await soon(() => {
    const message = found(world, GENERAL, 'JOB-1');
    expect(message.ts).toBe(answer.ts);
    expect(JSON.stringify(message.blocks)).toContain('succeeded');
    expect(buttonsOf(message)).toEqual(['Log']);
  });
  expect(slack.messages.filter(({ channel }) => channel === GENERAL)).toHaveLength(1);
  expect(world.deployments()).toEqual(['staging']);
  await homeSays(world, ANA, { without: ['JOB-1'] });
  await slack.clickButton(found(world, GENERAL, 'JOB-1'), 'Log', ANA);
  await soon(() => expect(slack.responseUrlPosts.at(-1)?.text).toContain('Live on staging'));
}

async function benDeniesWithAReason(world: World): Promise<void> {
  const { slack } = world;
  await slack.event(`<@${slack.botUser}> job run deploy --env production`, { user: ANA, channel: GENERAL });
  const card = await soon(() => found(world, slack.dmOf(BEN), 'APR-2'));
  await slack.clickButton(card, 'Deny', BEN);
  await soon(() => expect(slack.modals(BEN)).toHaveLength(1));
  const pending = await world.admin.get('/v1/approvals/APR-2');
  expect(pending.body).toMatchObject({ state: 'pending', votes: [] });
  await slack.submitModal(BEN, { Reason: 'Not on a Friday' });
  const { body } = await world.admin.get('/v1/approvals/APR-2');
  expect(body).toMatchObject({ state: 'denied', votes: [{ voter: 'ben', reason: 'Not on a Friday' }] });
  await soon(() => {
    const decided = found(world, card.channel, 'APR-2');
    expect(JSON.stringify(decided.blocks)).toContain('Not on a Friday');
    expect(buttonsOf(decided)).toEqual([]);
  });
  // Who asked learns why.
  await soon(() =>
    expect(JSON.stringify(found(world, GENERAL, 'JOB-2').blocks)).toContain('Not on a Friday'),
  );
  // An old card that somebody still has open decides nothing any more.
  await slack.clickButton(card, 'Approve', BEN);
  await soon(() => expect(slack.responseUrlPosts.at(-1)?.text).toContain('already denied'));
  await homeSays(world, BEN, { with: ['Nothing waits for your vote'] });
  expect(world.deployments()).toEqual(['staging']);
}

async function aMessageBecomesATask(world: World): Promise<void> {
  const { slack } = world;
  const message = {
    channel: GENERAL,
    ts: '1700000000.000100',
    user: BEN,
    text: 'The gate squeaks\nsince noon',
  };
  await slack.messageShortcut('task_from_message', message, ANA);
  await slack.submitModal(ANA, {});
  const { body } = await world.admin.get('/v1/tasks/TSK-2');
  expect(body).toMatchObject({
    title: 'The gate squeaks',
    description: expect.stringContaining(`/archives/${GENERAL}/p1700000000000100`) as string,
  });
}

interface Said {
  readonly with?: readonly string[];
  readonly without?: readonly string[];
}

/** What somebody's Home says within a moment. */
async function homeSays({ slack }: World, user: string, said: Said): Promise<void> {
  await soon(() => {
    const home = JSON.stringify(slack.home(user)?.blocks ?? 'no Home');
    for (const text of said.with ?? []) expect(home).toContain(text);
    for (const text of said.without ?? []) expect(home).not.toContain(text);
    expect(home).not.toContain('no Home');
  });
}

const shown = (body: unknown): string => JSON.stringify(body);

/** The newest message there that says so. @throws Error where there is none yet. */
function found({ slack }: World, channel: string, text: string): PostedMessage {
  const message = slack.messages.findLast(
    (one) => one.channel === channel && (one.text + JSON.stringify(one.blocks)).includes(text),
  );
  if (message === undefined) throw new Error(`nothing in ${channel} says ${text}`);
  return { ...message };
}

const buttonsOf = ({ blocks }: PostedMessage): string[] =>
  blocks.flatMap(({ elements = [], accessory }) =>
    [...elements, ...(accessory === undefined ? [] : [accessory])].flatMap(({ text }) =>
      typeof text === 'object' ? [text.text] : [],
    ),
  );
