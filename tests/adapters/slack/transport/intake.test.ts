import type { App } from '@slack/bolt';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Intake } from '../../../../adapters/slack/transport/intake.ts';

const OURS = 'T1';
const installed = (...teams: string[]) => teams.map((team_id) => ({ team_id }));

test.each([
  ['a command of ours', { team_id: OURS }, 200],
  ['a command of another team', { team_id: 'T2' }, 403],
  ['a payload that names no team', { type: 'block_actions' }, 403],
  ['an event for our installation', { team_id: OURS, authorizations: installed('T3', OURS) }, 200],
  ['an event for another installation', { team_id: OURS, authorizations: installed('T3') }, 403],
  ['an event where another team is told', { team_id: 'T2', authorizations: installed(OURS) }, 403],
  ['an event by somebody of another team', { team_id: OURS, event: { user_team: 'T2', team: 'T2' } }, 200],
  ['a click by somebody of another team', { team: { id: OURS }, user: { team_id: 'T2' } }, 200],
  ['a click for another installation', { team: { id: 'T2' }, user: { team_id: OURS } }, 403],
  // Of a modal in a shared channel the team may be the person's (`app_installed_team_id` in Bolt's own types).
  ['a modal of ours', { team: { id: 'T2' }, view: { app_installed_team_id: OURS } }, 200],
  ['a modal of another app', { team: { id: OURS }, view: { app_installed_team_id: 'T2' } }, 403],
])('%s', async (_, body, status) => {
  const intake = new Intake(() => OURS, pino({ level: 'silent' }));
  intake.init({ processEvent: async () => undefined } as unknown as App);
  await intake.start();
  expect((await intake.handle({ body })).status).toBe(status);
});
