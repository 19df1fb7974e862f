import type { App } from './app.ts';

/**
 * What a newcomer reads after `npm start`: what is on, how to get in, and a tour to paste. `hasDeploy`: whether there is a
 * runbook `deploy`, as in the example configuration, for the tour to run.
 */
export function banner(
  {
    url,
    adminToken,
    channels,
    notes,
    prompt,
  }: Pick<App, 'url' | 'adminToken' | 'channels' | 'notes' | 'prompt'>,
  hasDeploy: boolean,
): string {
  const state = channels().map(({ name, health }) =>
    health.state === 'on' || (name === 'terminal' && prompt)
      ? `  ● ${name}`
      : `  ○ ${name.padEnd(10)} ${health.state}; ${health.reason}`,
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
    ...tour(url, adminToken, hasDeploy),
    '',
  ].join('\n');
}

/** Lines to paste, one after another: each works on a fresh installation, where `deploy` is there. */
function tour(url: string, token: string | undefined, hasDeploy: boolean): string[] {
  const send = 'npx signalbox send';
  const deploy = [
    `    ${send} 'job run deploy --service web --env staging'      # waits: somebody else has to approve`,
    `    ${send} 'person add ben --roles operator --roles approver --key'      # prints Ben's token`,
    `    SIGNALBOX_TOKEN=BENS_TOKEN node examples/watch.mjs 'approve APR-1'      # Ben, on the WebSocket, sees it run live`,
    `    ${send} 'probe run self'`,
  ];
  return [
    '  A tour in 60 seconds, in another terminal:',
    '',
    `    export SIGNALBOX_URL=${url} SIGNALBOX_TOKEN=${token ?? 'YOUR_TOKEN'}`,
    `    ${send} 'task create "Fix login" --priority P0'`,
    ...(hasDeploy ? deploy : []),
    `    ${send} 'audit verify'`,
  ];
}
