import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readManifest } from '../../fakes/slack/page/manifest.ts';
import { startPage } from '../../fakes/slack/page/server.ts';
import { noBrowser, useBrowser } from '../../support/browser.ts';
import { TEAM } from '../support/config.ts';
import { soon } from '../support/soon.ts';
import { startWorld, type World } from '../support/world.ts';

if (noBrowser) process.stderr.write(`skipped: what Slack looks like, because ${noBrowser}\n`);

const MANIFEST = new URL('../../../manifest.yml', import.meta.url);
const ANA = 'UANA00001';
const BEN = 'UBEN00001';
const GENERAL = 'C0GENERAL';

/** Where the pictures of the documentation stand: `SCREENSHOTS=docs/images` takes them anew. */
const { SCREENSHOTS: folder } = process.env;

describe.skipIf(noBrowser)('what people see in Slack', () => {
  const browser = useBrowser();

  test('an approval card, the message about a job, and a Home', async () => {
    const world = await startWorld('http', 'sqlite', { mail: false });
    const { slack, admin } = world;
    await admin.command(`person link ana slack:${TEAM}/${ANA}`);
    await admin.command(`person link ben slack:${TEAM}/${BEN}`);
    const served = await startPage(slack, {
      port: 0,
      target: `${world.app.url}/slack/events`,
      app: await readManifest(MANIFEST),
    });
    onTestFinished(() => served.close());
    const page = await browser().newPage({ viewport: { width: 1_100, height: 640 }, deviceScaleFactor: 1.5 });
    onTestFinished(() => page.close());

    await page.goto(`${served.url}/#/ana/general`);
    await page.locator('#title:not(:empty)').waitFor();
    await slack.event(`<@${slack.botUser}> job run deploy --env staging`, { user: ANA, channel: GENERAL });
    await page.locator('.message', { hasText: 'JOB-1' }).first().waitFor();

    await lookAt(page, 'ben/signalbox');
    const card = page.locator('.message', { hasText: 'job run deploy --env staging' }).first();
    for (const label of ['Approve', 'Deny', 'Details'])
      await card.getByRole('button', { name: label }).waitFor();
    await take(page, 'slack-approval');

    await card.getByRole('button', { name: 'Deny' }).click();
    await page.locator('#modal textarea').fill('Not before the meeting');
    await page.keyboard.press('Escape');
    await card.getByRole('button', { name: 'Approve' }).click();
    await choApproves(world);
    await card.getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached' });

    await lookAt(page, 'ana/general');
    const job = page.locator('.message', { hasText: 'JOB-1' }).first();
    world.target.open();
    await job.getByText('succeeded').first().waitFor();
    await take(page, 'slack-job');

    await slack.slashCommand('task create "Renew the certificate" --priority P1 --owner ana', {
      user: ANA,
      channel: GENERAL,
    });
    await slack.event(`<@${slack.botUser}> job run deploy --env production`, { user: ANA, channel: GENERAL });
    await lookAt(page, 'ana/home');
    await page.locator('#home', { hasText: 'JOB-2' }).waitFor();
    await page.locator('#home', { hasText: 'Renew the certificate' }).waitFor();
    await take(page, 'slack-home');
    expect(slack.violations).toEqual([]);
  }, 60_000);
});

async function lookAt(page: Page, where: string): Promise<void> {
  await page.goto(`${new URL(page.url()).origin}/#/${where}`);
  await page.locator('#title:not(:empty)').waitFor();
}

async function take(page: Page, name: string): Promise<void> {
  if (folder === undefined) {
    expect((await page.screenshot()).length).toBeGreaterThan(10_000);
    return;
  }
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

async function choApproves(world: World): Promise<void> {
  const desk = await world.desk(await world.keyOf('cho', 'desk'));
  await soon(async () => expect(await desk.command('vote', 'approve APR-1')).toMatchObject({ status: 'ok' }));
  await desk.leave();
}
