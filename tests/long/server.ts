import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from '../support/spawn.ts';

export const SHORT = process.env['SIGNALBOX_LONG'] === 'short';
export const SECRET = 'an-example-signing-secret';
const TOKEN = 'an-example-token-of-the-administrator';

/** Limits that do not bound the load, a webhook that opens tasks, and a runbook that leaves a trace of each try. */
const CONFIG = `
limits: { perSender: 1000000000, perChannel: 1000000000, perWorkspace: 1000000000 }
runbooks:
  trace:
    summary: Leaves a line in a file
    risk: write
    permission: runbook:trace
    timeout: 20s
    tries: { max: 3, backoff: 100ms, cap: 1s }
    bounds: { logLines: 10, outputBytes: 1000 }
    args: { required: [file, name], properties: { file: { type: string }, name: { type: string } } }
    executor:
      kind: shell
      argv:
        - node
        - -e
        - const [file, line] = process.argv.slice(1); setTimeout(() => require('node:fs').appendFileSync(file, line + '\\n'), 200);
        - --
        - \${args.file}
        - \${args.name}
sources:
  ci:
    kind: hmac
    secret: \${env:CI_WEBHOOK_SECRET}
    signatureHeader: x-signature-256
    deliveryHeader: x-delivery
    rules:
      - { name: alert, when: has(payload.alert), command: task.create, args: { title: payload.alert } }
`;

/** A folder with that configuration, and servers on it; each start is a new process on the same database. */
export function longRun() {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-long-'));
  writeFileSync(join(folder, 'signalbox.yaml'), CONFIG);
  const env = { SIGNALBOX_ADMIN_TOKEN: TOKEN, CI_WEBHOOK_SECRET: SECRET, LOG_LEVEL: 'warn' };
  return {
    folder,
    database: join(folder, 'signalbox.db'),
    start: () => Server.start({ folder, env }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
