import { createSlackAdapter } from '../../adapters/slack/index.ts';
import { silent } from '../adapters/support/world.ts';
import { startFakeSlack, type FakeSlack } from '../fakes/slack/index.ts';
import { adapterContract, type Channel, type Line } from './adapter.ts';
import { PEOPLE, typed, type Ask, type Sender, type World } from './world.ts';

const TEAM = 'T1'; // of the identities in the harness's catalog
const SECRET = 'fake-signing-secret';
const BOT_TOKEN = 'xoxb-fake';
const APP_TOKEN = 'xapp-fake';

type Transport = 'HTTP' | 'Socket Mode';
const userOf = (who: Sender): string => `U${PEOPLE[who].toUpperCase()}`;

for (const transport of ['HTTP', 'Socket Mode'] as const) {
  const common = {
    name: 'slack',
    toldToWait: /Try again in \d+ s/,
    showsCorrelation: false,
    lateIs: transport === 'HTTP' ? 'refused' : 'unheard',
  } as const satisfies Partial<Channel>;
  adapterContract({
    ...common,
    title: `Slack over ${transport}, slash command`,
    answers: 'in place',
    open: (world) => open(world, transport, command),
  });
  adapterContract({
    ...common,
    title: `Slack over ${transport}, mention`,
    answers: 'by message',
    lacks: { reuse: 'Slack never gives one event id to two events' },
    open: (world) => open(world, transport, mention),
  });
}

interface Told {
  readonly user: string;
  readonly channel: string;
  readonly text: string;
  /** Slack's id of the event or the trigger. */
  readonly key: string | undefined;
  readonly team?: string;
  readonly signature?: string;
}
/** Sends in one of Slack's forms; resolves with what its sender is shown at once, if anything. */
type Form = (slack: FakeSlack, told: Told) => Promise<{ readonly status: number; readonly body: unknown }>;

const command: Form = (slack, { text, key, ...told }) =>
  slack.slashCommand(text, { ...told, ...(key !== undefined && { triggerId: key }) });
const mention: Form = (slack, { text, key, ...told }) =>
  slack.event(`<@${slack.botUser}> ${text}`, { ...told, ...(key !== undefined && { eventId: key }) });

async function open(world: World, transport: Transport, form: Form): Promise<Line> {
  const { harness, http, receive } = world;
  const slack = await startFakeSlack({
    signingSecret: SECRET,
    botToken: BOT_TOKEN,
    appToken: APP_TOKEN,
    teamId: TEAM,
    clock: harness.clock,
  });
  slack.pointTo(`${http.url}/slack/events`);
  const adapter = await createSlackAdapter({
    workspace: harness.workspace,
    botToken: BOT_TOKEN,
    ...(transport === 'HTTP' ? { signingSecret: SECRET } : { appToken: APP_TOKEN }),
    apiUrl: slack.apiUrl,
    receive,
    commands: harness.commands,
    http: http.app,
    clock: harness.clock,
    log: silent,
  });
  const acknowledged: string[] = [];
  let messages = 0;
  const tell = (user: string, ask: Ask, key: string | undefined, more: Partial<Told> = {}) =>
    // Slack takes one message a second for each conversation, so each ask is made in one of its own.
    form(slack, { user, channel: `C0ASKED${(messages += 1)}`, text: typed(ask), key, ...more });
  return {
    adapter,
    get shown() {
      return [...acknowledged, ...slack.messages.map((message) => JSON.stringify(message))];
    },
    identities: {
      member: `slack:${TEAM}/${userOf('member')}`,
      viewer: `slack:${TEAM}/${userOf('viewer')}`,
      stranger: `slack:${TEAM}/${userOf('stranger')}`,
    },
    async say(from, ask, key) {
      const { status, body } = await tell(userOf(from), ask, key);
      // Only a slash command's acknowledgement is shown; the others are empty.
      if (status === 200 && form === command) acknowledged.push(JSON.stringify(body));
    },
    async forge(ask, key) {
      // Whoever has the socket is Slack; what is not ours there is another team's.
      const how = transport === 'HTTP' ? { signature: `v0=${'a'.repeat(64)}` } : { team: 'T0OTHER01' };
      const { body } = await tell(userOf('member'), ask, key, how);
      return JSON.stringify(body ?? '');
    },
    async deafen() {
      if (transport === 'Socket Mode') {
        slack.socket.greets = false;
        slack.socket.drop();
        return;
      }
      slack.failNext('chat.postMessage', { error: 'token_revoked' });
      const address = { channel: 'slack', to: 'C0GENERAL' } as const;
      await adapter.notifier?.send(address, { key: 'k', reply: { text: 'news' } }).catch(() => undefined);
    },
    async close() {
      await slack.close();
      slack.assertClean();
    },
  };
}
