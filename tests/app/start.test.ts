import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { run, startServer } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');

describe('the banner', () => {
  test('tells every channel with what turns it on, and the token on the first start alone', async () => {
    const folder = tempFolder();
    const first = await startServer({ folder });
    expect(first.out).toContain('● rest');
    expect(first.out).toContain('● websocket');
    expect(first.out).toMatch(/○ webhook .*GITHUB_WEBHOOK_SECRET or CI_WEBHOOK_SECRET/);
    expect(first.out).toMatch(/○ slack .*SLACK_BOT_TOKEN.*\(docs\/slack-setup\.md\)/);
    expect(first.out).toMatch(/○ email .*EMAIL_ADDRESS.*IMAP_HOST.*SMTP_HOST \(docs\/email-setup\.md\)/);
    expect(first.out).toMatch(/Note +Runbook deploy needs 1 approver of role approver; there is none/);
    const home = await (await fetch(first.url)).text();
    expect(home).toContain('<code>npx signalbox send "help"</code>');
    for (const guide of ['docs/slack-setup.md', 'docs/email-setup.md']) {
      expect(home).toContain(guide);
      expect(existsSync(join(ROOT, guide)), guide).toBe(true);
    }
    expect(first.out).toMatch(/○ terminal .*a terminal/);
    expect(first.token).toMatch(/^sb_/);
    expect(await (await first.command('whoami')).json()).toMatchObject({ status: 'ok' });
    expect(await first.stop()).toMatchObject({ code: 0, err: '' });

    const env = { CI_WEBHOOK_SECRET: 'an-example-secret' };
    const second = await startServer({ folder, env });
    expect(second.out).toContain('● webhook');
    expect(second.out).not.toContain('Administrator');
    expect(second.out).not.toContain('sb_');
    second.token = first.token;
    expect((await second.command('whoami')).status).toBe(200);
  });

  test('does not show a token that was chosen, nor does anything that is written down', async () => {
    const folder = tempFolder();
    const chosen = 'an-example-token-of-the-administrator';
    const server = await startServer({ folder, env: { SIGNALBOX_ADMIN_TOKEN: chosen } });
    expect((await server.command('task create Lamp')).status).toBe(200);
    const { out, err } = await server.stop();
    expect(out + err).not.toContain(chosen);
    expect(readFileSync(join(folder, 'signalbox.db'), 'latin1')).not.toContain(chosen);
  });
});

describe('what cannot start says why and leaves nothing running', () => {
  test('a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const ended = await run(['start'], { folder: tempFolder(), env: { PORT: String(port) } });
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toBe(
      `✗ Cannot listen on 127.0.0.1:${port}: another program listens there. Set HOST or PORT.\n`,
    );
  });

  test('a database that is none, and one in a place where there can be none', async () => {
    const folder = tempFolder();
    writeFileSync(
      join(folder, 'signalbox.db'),
      'Dear diary, today I was opened as a database.\n'.repeat(200),
    );
    const text = await run(['start'], { folder });
    expect(text).toMatchObject({ code: 1, out: '' });
    expect(text.err).toBe(`✗ ${join(folder, 'signalbox.db')} is not a Signalbox database.\n`);
    expect(readFileSync(join(folder, 'signalbox.db'), 'utf8')).toContain('Dear diary');

    writeFileSync(join(folder, 'file'), '');
    const nowhere = await run(['start'], { folder, env: { SIGNALBOX_DB: join(folder, 'file/x.db') } });
    expect(nowhere).toMatchObject({ code: 1, out: '' });
    expect(nowhere.err).toMatch(/^✗ .*file\/x\.db.*\n$/);
  });

  test('a damaged database', async () => {
    const folder = tempFolder();
    const path = join(folder, 'signalbox.db');
    expect((await run(['migrate'], { folder })).code).toBe(0);
    const raw = new Database(path);
    const size = raw.pragma('page_size', { simple: true }) as number;
    raw.pragma('wal_checkpoint(TRUNCATE)');
    raw.close();
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xff, size));
    const ended = await run(['start'], { folder });
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toBe(`✗ The database ${path} is damaged: restore it from a backup.\n`);
  });

  test('a database of a newer version, which is left as it is', async () => {
    const folder = tempFolder();
    const path = join(folder, 'signalbox.db');
    expect((await run(['migrate'], { folder })).code).toBe(0);
    const raw = new Database(path);
    raw.pragma('user_version = 9999');
    raw.close();
    const before = readFileSync(path);
    for (const subcommand of ['start', 'migrate', 'token', 'doctor']) {
      const ended = await run([subcommand], { folder });
      expect(ended, subcommand).toMatchObject({ code: 1 });
      expect(subcommand === 'doctor' ? ended.out : ended.err, subcommand).toContain(
        'The database has schema 9999, and this version of Signalbox knows',
      );
    }
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('a wrong configuration: everything at once, each with file and line', async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, '.env'), 'HOST=127.0.0.1\nSIGNALBOX_URL=ftp://nowhere\n');
    writeFileSync(
      join(folder, 'signalbox.yaml'),
      [
        'roles:',
        "  tester: ['task:*']",
        'people:',
        '  ana:',
        '    roles: [nobody]',
        'sources:',
        '  ci:',
        '    kind: hmac',
        '    secret: written-in-clear',
        '    rules:',
        '      - name: bad',
        '        when: payload.a ==',
        '        command: task.create',
        '        args: { title: payload.a }',
        '',
      ].join('\n'),
    );
    const options = { folder, env: { PORT: 'eighty', LOG_LEVEL: 'loud' } };
    const ended = await run(['start'], options);
    expect(ended).toMatchObject({ code: 1, out: '' });
    for (const place of [/PORT/, /LOG_LEVEL/, /\.env:2.*SIGNALBOX_URL/, /yaml:5:/, /yaml:9:/, /yaml:12:/])
      expect(ended.err).toMatch(place);
    expect(ended.err).not.toContain('    at ');
    const checked = await run(['check'], options);
    expect(checked.code).toBe(1);
    expect((checked.out + checked.err).trim()).toBe(ended.err.trim());
  });

  test('a rule that names no command', async () => {
    const folder = tempFolder();
    writeFileSync(
      join(folder, 'signalbox.yaml'),
      [
        'sources:',
        '  ci:',
        '    kind: hmac',
        '    secret: ${env:CI_SECRET}',
        '    rules:',
        '      - { name: typo, when: "true", command: task.craete, args: {} }',
        '',
      ].join('\n'),
    );
    const ended = await run(['start'], { folder });
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toMatch(/signalbox\.yaml:6:\d+.*task\.craete/);
    expect(ended.err).toContain('task.create');
  });

  test('a rule that does not fit its command, and then nothing is written', async () => {
    const folder = tempFolder();
    const rule = '{ name: slip, when: "true", command: task.create, args: { titel: payload.a } }';
    writeFileSync(
      join(folder, 'signalbox.yaml'),
      `sources:\n  ci:\n    kind: hmac\n    secret: \${env:CI_SECRET}\n    rules:\n      - ${rule}\n`,
    );
    const ended = await run(['start'], { folder });
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toMatch(/yaml:6:\d+ SBX023 .*no argument "titel"\.\n +Did you mean "title"\?/);
    expect(ended.err).toMatch(/yaml:6:\d+ SBX023 .*cannot run without the argument "title"/);
    expect(existsSync(join(folder, 'signalbox.db'))).toBe(false);
    expect((await run(['doctor'], { folder })).err).toContain('SBX023');
  });
});

test.each([[['strat']], [[]], [['audit']], [['audit', 'verify', 'a', 'b']]])(
  'wrong usage %j: how it is used, and 2',
  async (args) => {
    const ended = await run(args, { folder: tempFolder() });
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.err).toContain('Usage: signalbox <command>');
    if (args[0] === 'strat') expect(ended.err).toContain('There is no command strat.');
  },
);
