import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { dovecotMissing, startDovecot } from '../fakes/dovecot.ts';
import { rawMail } from '../fakes/mail.ts';
import { startFakeSlack } from '../fakes/slack/index.ts';
import { fakeSmtp } from '../fakes/smtp.ts';
import { createDatabase } from '../support/postgres.ts';
import { startServer } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const WITHIN = 30_000;
const SLACK = { signingSecret: 'fake-signing-secret', botToken: 'xoxb-fake', appToken: 'xapp-fake' };
const missing = dovecotMissing();
if (missing !== undefined) process.stderr.write(`without a mailbox, because ${missing}\n`);

/** A mailbox, as the variables of a server. */
async function mailbox(folder: string) {
  const [dovecot, smtp] = await Promise.all([startDovecot(), fakeSmtp()]);
  onTestFinished(async () => {
    await Promise.all([dovecot.close(), smtp.close()]);
  });
  const { host, port, user, pass, tls } = dovecot.imap;
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, tls.ca);
  const env = {
    EMAIL_ADDRESS: user,
    IMAP_HOST: host,
    IMAP_PORT: String(port),
    IMAP_USER: user,
    IMAP_PASSWORD: pass,
    IMAP_CA: ca,
    SMTP_HOST: '127.0.0.1',
    SMTP_PORT: String(smtp.port),
    SMTP_SECURE: 'false',
  };
  return { dovecot, env };
}

test('whatever one server has charge of is taken over within 30 s when it is killed', async () => {
  const folder = tempFolder();
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const slack = await startFakeSlack({ ...SLACK, teamId: 'T0TEAM001' });
  onTestFinished(() => slack.close());
  const mail = missing === undefined ? await mailbox(folder) : undefined;
  const env = {
    SIGNALBOX_DB: database.url,
    SIGNALBOX_ADMIN_TOKEN: 'an-example-token-of-the-administrator',
    SLACK_BOT_TOKEN: SLACK.botToken,
    SLACK_APP_TOKEN: SLACK.appToken,
    SLACK_API_URL: slack.apiUrl,
    LOG_LEVEL: 'fatal',
    ...mail?.env,
  };
  const owner = await startServer({ folder, env });
  const soon = (check: () => unknown) => vi.waitFor(check, { interval: 20, timeout: WITHIN });
  await soon(() => expect(slack.socket.connections).toBe(1));
  const next = await startServer({ folder, env });
  const states = async () => {
    const { checks } = (await (await next.fetch('/readyz')).json()) as {
      checks: { channels: Record<string, { state: string }> };
    };
    return [checks.channels['slack']?.state, checks.channels['email']?.state];
  };
  expect(await states()).toEqual(['standby', mail ? 'standby' : 'off']);
  const read = async () =>
    ((await mail?.dovecot.flags()) ?? []).filter((flags) => flags.includes('\\Seen')).length;
  const deliver = () => mail?.dovecot.deliver(rawMail({}, 'status\r\n'));
  const told = () => slack.messages.filter(({ text }) => text?.includes('task.created')).length;

  await next.command('subscribe task.created --to slack:C0GENERAL');
  await next.command('task create one');
  await soon(() => expect(told()).toBe(1));
  await deliver();
  if (mail) await soon(async () => expect(await read()).toBe(1));

  const killed = performance.now();
  await owner.stop('SIGKILL');
  await next.command('task create two');
  const at = new Date(Date.now() + 1_000).toISOString();
  await next.command(`schedule add later "task create three" --at ${at} --missed one`);
  await deliver();
  const taken = async (what: string, check: () => unknown) => {
    await soon(check);
    return `${what} ${((performance.now() - killed) / 1_000).toFixed(1)} s`;
  };
  const times = await Promise.all([
    taken('Socket Mode', () => expect(slack.socket.connections).toBe(2)),
    taken('subscriptions and outbox', () => expect(told()).toBeGreaterThanOrEqual(2)),
    taken('schedules', async () => {
      const tasks = await database.sql(`SELECT FROM tasks WHERE title = 'three'`);
      expect(tasks).toHaveLength(1);
    }),
    ...(mail ? [taken('mailbox', async () => expect(await read()).toBe(2))] : []),
  ]);
  process.stdout.write(`taken over after: ${times.join(', ')}\n`);
  expect(performance.now() - killed).toBeLessThan(WITHIN);
  expect(await states()).toEqual(['on', mail ? 'on' : 'off']);
  await soon(() => expect(told()).toBe(3));
  slack.assertClean();
});
