import type { Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { noBrowser, useBrowser } from '../../../support/browser.ts';

if (noBrowser) process.stderr.write(`The fake Slack's page is not looked at in a browser: ${noBrowser}.\n`);

/** A browser for the tests around; the answer opens a page at an address in it. */
export function usePages(): (url: string, where: string) => Promise<Page> {
  const browser = useBrowser();
  return async (url, where) => look(await browser().newPage({ viewport: VIEW }), url, where);
}

const VIEW = { width: 1_280, height: 800 };

/** What the console complains of, policy violations included, fails the test at its end. */
async function look(page: Page, url: string, where: string): Promise<Page> {
  page.setDefaultTimeout(8_000);
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`asked ${request.url()}`);
  });
  await page.goto(`${url}/${where}`);
  await page.locator('#title:not(:empty)').waitFor();
  onTestFinished(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });
  return page;
}

/** Types a line and waits until it has gone out. */
export async function say(page: Page, line: string): Promise<void> {
  await page.locator('#line').fill(line);
  await page.locator('#line').press('Enter');
  await page.locator('#line:not([aria-busy])').waitFor();
}
