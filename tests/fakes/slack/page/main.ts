import { startFakeSlack } from '../index.ts';
import { readManifest } from './manifest.ts';
import { CHANNELS, PEOPLE } from './people.ts';
import { startPage } from './server.ts';

/** `npm run fake:slack`: the fake Slack by hand, with its page. */
const { FAKE_SLACK_PORT: port = '8090', FAKE_SLACK_TARGET: target = 'http://127.0.0.1:8080/slack/events' } =
  process.env;
const secrets = {
  botToken: 'xoxb-fake',
  signingSecret: 'fake-signing-secret',
  appToken: 'xapp-fake',
};
const teamId = 'T0TEAM001';

const app = await readManifest(new URL('../../../../manifest.yml', import.meta.url));
const fake = await startFakeSlack({
  ...secrets,
  teamId,
  users: PEOPLE,
  channels: CHANNELS,
  scopes: app.scopes,
  events: app.events,
  rates: true,
});
fake.pointTo(target);
const page = await startPage(fake, { port: Number(port), target, app });

const shared = `SLACK_BOT_TOKEN=${secrets.botToken} SLACK_API_URL=${page.url}/api/`;
console.log(`
  Slack, without Slack: ${page.url}/

  Start Signalbox against it, in another terminal:

    ${shared} SLACK_SIGNING_SECRET=${secrets.signingSecret} npm start

  or in Socket Mode:

    ${shared} SLACK_APP_TOKEN=${secrets.appToken} npm start

  Without Socket Mode, requests go to ${target} (FAKE_SLACK_TARGET).
  Who is who, for the identities of people:
${PEOPLE.map(({ id, name }) => `    ${name.padEnd(5)} slack:${teamId}/${id}`).join('\n')}

  Ctrl-C ends it; nothing is kept.
`);

process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());

async function stop(): Promise<void> {
  await page.close();
  await fake.close();
}
