import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createTransport } from 'nodemailer';

const run = promisify(execFile);
const USER = 'bot@example.test';
const PASSWORD = 'not-a-real-password';

export interface Dovecot {
  readonly imap: {
    host: string;
    port: number;
    secure: true;
    user: string;
    pass: string;
    tls: { ca: string };
  };
  /** Puts a raw mail into the mailbox as the mail system does, by LMTP. */
  deliver(raw: Buffer | string, options?: { readonly to?: string; readonly from?: string }): Promise<void>;
  /** Throws every client out. */
  kick(): Promise<void>;
  /** Gives the mailbox another UIDVALIDITY, as after a move or a restore. */
  renew(): Promise<void>;
  /** Deletes every mail. */
  empty(): Promise<void>;
  /** The flags of each mail in the INBOX, in order. */
  flags(): Promise<string[]>;
  /** Stops the server; the mails stay. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

/** Why Dovecot cannot run here, or undefined: it has to be installed, and starts as root with a user `vmail`. */
export function dovecotMissing(): string | undefined {
  if (!existsSync('/usr/sbin/dovecot') || !existsSync('/usr/lib/dovecot/lmtp')) {
    return 'dovecot-imapd and dovecot-lmtpd are not installed';
  }
  if (process.getuid?.() !== 0) return 'Dovecot has to be started by root';
  return vmail() === undefined
    ? 'there is no user vmail (useradd -r -M -s /usr/sbin/nologin vmail)'
    : undefined;
}

function vmail(): { uid: number; gid: number } | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, 'vmail'], { stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/** A real mailbox `bot@example.test` with plus addresses, on ports of its own, in a directory of its own. */
export async function startDovecot(): Promise<Dovecot> {
  const owner = vmail();
  if (!owner) throw new Error('there is no user vmail');
  const root = await mkdtemp(join(tmpdir(), 'sb-dovecot-'));
  await chmod(root, 0o755);
  for (const name of ['run', 'state', 'mail', 'conf']) await mkdir(join(root, name));
  chownSync(join(root, 'mail'), owner.uid, owner.gid);
  const [imap, lmtp] = [await freePort(), await freePort()];
  const key = join(root, 'conf/key.pem');
  const cert = join(root, 'conf/cert.pem');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const pair = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', key, '-out', cert];
  await run('openssl', ['req', '-x509', '-nodes', '-days', '2', ...pair, ...subject]);
  await writeFile(join(root, 'conf/users'), `${USER}:{PLAIN}${PASSWORD}\n`);
  const config = join(root, 'conf/dovecot.conf');
  await writeFile(config, configuration(root, imap, lmtp));

  const doveadm = (...args: string[]) => run('doveadm', ['-c', config, ...args]);
  let server: ChildProcess | undefined;
  const up = async () => {
    server = spawn('dovecot', ['-F', '-c', config], { stdio: 'ignore', detached: true });
    for (const port of [imap, lmtp]) await reachable(port, server, join(root, 'log'));
  };
  const down = async () => {
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, 'exit');
    process.kill(-server.pid, 'SIGKILL'); // the whole group: a polite stop takes seconds and leaves clients served
    await gone;
  };
  await up();
  let validity = 2_000_000_000;
  const sender = createTransport({ lmtp: true, host: '127.0.0.1', port: lmtp, ignoreTLS: true });
  return {
    imap: {
      host: 'localhost',
      port: imap,
      secure: true,
      user: USER,
      pass: PASSWORD,
      tls: { ca: await readFile(cert, 'utf8') },
    },
    async deliver(raw, { to = USER, from = 'ana@good.test' } = {}) {
      await sender.sendMail({ envelope: { from, to }, raw });
    },
    kick: async () => {
      await doveadm('kick', USER);
    },
    async renew() {
      validity += 1;
      await doveadm('mailbox', 'update', '-u', USER, '--uid-validity', String(validity), 'INBOX');
    },
    async empty() {
      await doveadm('expunge', '-u', USER, 'mailbox', 'INBOX', 'all');
    },
    async flags() {
      const { stdout } = await doveadm('-f', 'tab', 'fetch', '-u', USER, 'flags', 'mailbox', 'INBOX', 'all');
      return stdout.trimEnd().split('\n').slice(1);
    },
    down,
    up,
    async close() {
      sender.close();
      await down();
      await rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

async function reachable(port: number, server: ChildProcess, log: string): Promise<void> {
  while (server.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const open = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (open) return;
    await delay(10);
  }
  throw new Error(`Dovecot did not start: ${await readFile(log, 'utf8')}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const configuration = (root: string, imap: number, lmtp: number): string => `
base_dir=${root}/run
state_dir=${root}/state
log_path=${root}/log
protocols=imap lmtp
listen=127.0.0.1
ssl=yes
ssl_cert=<${root}/conf/cert.pem
ssl_key=<${root}/conf/key.pem
auth_mechanisms=plain login
mail_location=maildir:${root}/mail/%u
mail_uid=vmail
mail_gid=vmail
first_valid_uid=1
recipient_delimiter=+
passdb {
 driver=passwd-file
 args=scheme=PLAIN username_format=%u ${root}/conf/users
}
userdb {
 driver=static
 args=uid=vmail gid=vmail home=${root}/mail/%u
}
service imap-login {
 inet_listener imap {
  port=0
 }
 inet_listener imaps {
  port=${imap}
  ssl=yes
 }
}
service lmtp {
 inet_listener lmtp {
  address=127.0.0.1
  port=${lmtp}
 }
}
namespace inbox {
 inbox=yes
 separator=/
}
protocol lmtp {
 postmaster_address=postmaster@example.test
}
`;
