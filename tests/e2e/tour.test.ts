import { expect, onTestFinished, test } from 'vitest';
import { startServer, type Server } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';
import { Shell } from './support/shell.ts';
import { Desk } from './support/socket.ts';

/** What each line of the tour has to print, in order. */
const PRINTS = [
  /^$/,
  /^Opened TSK-1 \[P0 queued\] Fix login$/m,
  /JOB-1 waits for APR-1/,
  /^Added person ben with operator, approver\.\n.*: (sb_\S+)$/m,
  /You approved APR-1\. JOB-1 is queued[^]*^ {2}web is live on staging\n● job\.succeeded JOB-1$/m,
  /^JOB-2 asks probe self\.$/m,
  /^Entries 1 to (\d+) of \1 verify\.$/m,
];

test('the tour of the banner, line by line as it is printed', async () => {
  // No configuration of its own: the example as it is, on whatever port is free.
  const server = await startServer({ folder: tempFolder() });
  const lines = tourOf(server);
  const shell = new Shell();
  onTestFinished(() => shell.close());

  let bensToken = '';
  for (const [index, expected] of PRINTS.entries()) {
    const printed = await shell.run((lines[index] ?? '').replace('BENS_TOKEN', bensToken));
    expect(printed, lines[index]).toMatch(expected);
    bensToken ||= expected.exec(printed)?.[1] ?? '';
  }
  expect(lines).toHaveLength(PRINTS.length);
  const probed = () => shell.run("npx signalbox send 'probe show self'");
  await expect.poll(probed, { timeout: 15_000 }).toContain('self [ok]');

  const desk = await Desk.open(server.url, bensToken);
  const { code, err } = await server.stop('SIGTERM');
  expect(code, err).toBe(0);
  expect(await desk.closed).toEqual({ code: 1001 });
});

/** The lines that the banner gives to paste. */
function tourOf({ out }: Server): string[] {
  const [, block = ''] = /A tour in 60 seconds.*\n\n((?: {4}.+\n)+)/.exec(out) ?? [];
  return block
    .trimEnd()
    .split('\n')
    .map((line) => line.trim());
}
