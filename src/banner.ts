import type { App } from './app.ts';

/** What a newcomer reads after `npm start`: what is on, how to get in, and a tour to paste. */
export function banner(
  { url, adminToken, channels }: Pick<App, 'url' | 'adminToken' | 'channels'>,
  notes: readonly string[],
): string {
  const state = channels().map(({ name, health }) =>
    health.state === 'on' ? `  ● ${name}` : `  ○ ${name.padEnd(10)} ${health.state}: ${health.reason}`,
  );
  return [
    '',
    '  Signalbox — one durable command line, on every channel',
    '',
    ...state,
    '',
    `  Address        ${url}   (interface: ${url}/docs)`,
    ...(adminToken === undefined
      ? []
      : [`  Administrator  ${adminToken}`, '                 (shown this once; keep it)']),
    ...notes.map((note) => `  Note           ${note}`),
    '',
    ...tour(url, adminToken),
    '',
  ].join('\n');
}

function tour(url: string, token: string | undefined): string[] {
  const key = token ?? 'YOUR_TOKEN';
  const send = `npx signalbox send`;
  return [
    '  A tour in 60 seconds, in another terminal:',
    '',
    `    export SIGNALBOX_URL=${url} SIGNALBOX_TOKEN=${key}`,
    `    ${send} 'task create "Fix login" --priority P0'`,
    `    ${send} 'job run deploy --service web --env staging'     # waits: somebody else has to approve`,
    `    ${send} 'person add ben --roles operator,approver --add-key'   # prints Ben's token`,
    `    SIGNALBOX_TOKEN=BENS_TOKEN ${send} 'approve APR-1'       # and now it runs`,
    `    ${send} 'job logs JOB-1'`,
    `    ${send} 'probe run self'`,
    `    ${send} 'audit verify'`,
  ];
}
