import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApp, type App } from '../../src/app.ts';
import { loadConfig } from '../../src/config/index.ts';
import { noBrowser, useBrowser } from '../support/browser.ts';

if (noBrowser) process.stderr.write(`The pages are not looked at in a browser: ${noBrowser}.\n`);

describe.skipIf(noBrowser)('the pages, in a real browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-pages-'));
  let app: App;
  const browser = useBrowser();

  beforeAll(async () => {
    const env = { PORT: '0', SIGNALBOX_DB: join(folder, 'signalbox.db') };
    app = await startApp(await loadConfig({ env, cwd: folder }), { log: pino({ level: 'silent' }) });
  });
  afterAll(async () => {
    await app.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens a page; what the console complains of (a policy that was violated, a script that failed) is kept. */
  async function open(path: string): Promise<{ page: Page; complaints: string[]; foreign: string[] }> {
    const page = await browser().newPage();
    const complaints: string[] = [];
    const foreign: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(app.url) && !request.url().startsWith('data:'))
        foreign.push(request.url());
    });
    await page.goto(`${app.url}${path}`, { waitUntil: 'load' });
    return { page, complaints, foreign };
  }

  test('`/` says what is on, and how to turn on what is not, without anything from elsewhere', async () => {
    const { page, complaints, foreign } = await open('/');
    const rows = await page.locator('tbody tr').allInnerTexts();
    expect(rows.map((row) => row.split('\t').slice(0, 2).join(' '))).toEqual([
      'rest on',
      'websocket on',
      'webhook off',
      'slack off',
      'email off',
      'terminal off',
    ]);
    expect(rows.find((row) => row.startsWith('slack'))).toContain('SLACK_BOT_TOKEN');
    expect({ complaints, foreign }).toEqual({ complaints: [], foreign: [] });
  });

  test('its links lead somewhere', async () => {
    const { page } = await open('/');
    const links = await page.locator('a').evaluateAll((all) => all.map((a) => a.getAttribute('href') ?? ''));
    expect(links).toContain('/docs');
    for (const link of links) expect((await fetch(`${app.url}${link}`)).status, link).toBe(200);
  });

  test('`/docs` shows every operation, and opens one', async () => {
    const { page, complaints, foreign } = await open('/docs');
    const create = page.locator('.opblock', { hasText: 'POST/v1/tasks' }).first();
    await create.locator('.opblock-summary-control').click();
    await create.locator('.opblock-body').waitFor();
    expect(await create.innerText()).toContain('priority');
    expect({ complaints, foreign }).toEqual({ complaints: [], foreign: [] });
  });

  test('both can be read in the dark and on a small screen', async () => {
    const context = await browser().newContext({
      colorScheme: 'dark',
      viewport: { width: 360, height: 640 },
    });
    const page = await context.newPage();
    await page.goto(app.url);
    const color = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const wide = await page.evaluate<boolean>('document.documentElement.scrollWidth > window.innerWidth');
    expect(color).not.toBe('rgb(255, 255, 255)');
    expect(wide).toBe(false);
    await context.close();
  });
});
