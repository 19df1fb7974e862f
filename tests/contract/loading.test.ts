import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const TOKEN = `sb_contract_${'a'.repeat(43)}`;

/** Starts the product as `signalbox start` does and prints which packages were loaded by when. */
const PROGRAM = `
import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  load(url, context, next) {
    const name = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
    if (name) loaded.add(name);
    return next(url, context);
  },
});
const root = ${JSON.stringify(`file://${ROOT}`)};
const { loadConfig } = await import(root + '/src/config/index.ts');
const { startApp } = await import(root + '/src/app.ts');
const app = await startApp(await loadConfig({ env: process.env, cwd: process.cwd() }));
const started = [...loaded];
const send = async (text) => {
  const response = await fetch(app.url.replace(/:\\d+$/, ':' + app.port) + '/v1/commands', {
    method: 'POST',
    headers: { authorization: 'Bearer ' + process.env.SIGNALBOX_ADMIN_TOKEN, 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  });
  return (await response.json()).status;
};
const command = await send('task create "Fix login"');
const commanded = [...loaded];
const said = await send('please open an urgent task to fix login');
await app.stop();
console.log(JSON.stringify({ started, command, commanded, said, ended: [...loaded] }));
`;

interface Loaded {
  readonly started: readonly string[];
  readonly command: string;
  readonly commanded: readonly string[];
  readonly said: string;
  readonly ended: readonly string[];
}

test('nothing of a channel that is off is loaded, nor what plain language needs before it is used', async () => {
  const folder = tempFolder();
  const program = join(folder, 'program.mjs');
  writeFileSync(program, PROGRAM);
  const { stdout } = await promisify(execFile)(process.execPath, [program], {
    cwd: folder,
    env: { PORT: '0', SIGNALBOX_ADMIN_TOKEN: TOKEN, LOG_LEVEL: 'silent' },
  });
  const { started, command, commanded, said, ended } = JSON.parse(stdout) as Loaded;
  const slack = (name: string) => name.startsWith('@slack/');
  const mail = ['imapflow', 'nodemailer', 'mailauth', 'mailparser', 'email-reply-parser'];

  expect(started).toEqual(expect.arrayContaining(['express', 'ws', 'better-sqlite3']));
  expect(command).toBe('ok');
  expect(commanded).not.toContain('compromise');
  expect(said).toBe('needs_confirmation');
  expect(ended).toContain('compromise');
  expect(ended.filter((name) => slack(name) || mail.includes(name))).toEqual([]);
});
