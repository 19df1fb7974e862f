import { describe, expect, test } from 'vitest';
import { Rest } from '../support/rest.ts';
import { soon } from '../support/soon.ts';
import { startWorld } from '../support/world.ts';

const ANA = 'U0ANA';
const BEN = 'U0BEN';

describe.each([
  ['http', 'sqlite'],
  ['socket', 'postgres'],
] as const)('with Slack over %s, on %s', (mode, database) => {
  test('a Home is right at each step, and after a restart', async () => {
    const world = await startWorld(mode, database, { mail: false });
    const { slack, target, admin } = world;
    const cho = new Rest(world.app.url, await world.keyOf('cho', 'cli'));
    const says = async (user: string, ...texts: string[]) =>
      soon(() => {
        const shown = JSON.stringify(slack.home(user)?.blocks ?? []);
        for (const text of texts) expect(shown).toContain(text);
      });
    const type = (user: string, text: string) => slack.slashCommand(text, { user, channel: 'C0OPS0001' });

    await slack.openHome(ANA);
    await slack.openHome(BEN);
    await says(ANA, 'No open task is yours.', 'No job is running.', 'web [unknown]');
    await says(BEN, 'Nothing waits for your vote.');

    slack.addUser({ id: 'U0GUEST', isRestricted: true });
    await slack.openHome('U0GUEST');
    await says('U0GUEST', 'Guests are known once an administrator names them');
    await slack.openHome('U0NEW');
    await says('U0NEW', 'Send `link` here for a code');

    await admin.command('task create "Rotate the key" --priority P1 --owner ana');
    await says(ANA, 'TSK-1 [P1 queued] Rotate the key');

    await type(ANA, 'job run deploy --env staging');
    await says(ANA, 'APR-1 · ana asks:', 'job run deploy --env staging', 'approved by nobody yet (needs 2)');
    await says(BEN, 'APR-1 · ana asks:', 'job run deploy --env staging', 'JOB-1 [waiting] deploy');

    await type(BEN, 'approve APR-1');
    await says(BEN, 'Nothing waits for your vote.');
    await says(ANA, 'approved by ben (needs 2)');

    await cho.command('approve APR-1');
    await says(ANA, 'Nothing of yours waits for approval.', 'JOB-1 [running] deploy');
    target.open();
    await says(ANA, 'No job is running.');
    await says(BEN, 'No job is running.');

    await admin.command('probe run web');
    await says(ANA, 'web [ok] The web answers');

    await world.restart();
    const published = slack.requests.filter(({ method }) => method === 'views.publish').length;
    await world.admin.command('task move TSK-1 in_progress');
    await says(ANA, 'TSK-1 [P1 in_progress] Rotate the key', 'web [ok] The web answers');
    expect(slack.requests.filter(({ method }) => method === 'views.publish').length).toBeGreaterThan(
      published,
    );
  }, 60_000);
});
