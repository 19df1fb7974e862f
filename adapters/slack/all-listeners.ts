import type { App, webApi } from '@slack/bolt';
import type { Keeper, Notifier } from '../../src/core/adapter.ts';
import { ownAlone } from '../../src/core/owned.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { AccountWatch } from './account.ts';
import type { Receiver } from './decode.ts';
import { listenForForms } from './forms/listeners.ts';
import { Forms } from './forms/forms.ts';
import { HomeTabs } from './home/tabs.ts';
import { listenAtHome } from './home/listeners.ts';
import { LATENESS } from './late.ts';
import { listen } from './listeners.ts';
import type { SlackOptions } from './options.ts';

/** How people are answered outside of an acknowledgement. */
interface Speaking {
  readonly client: webApi.WebClient;
  readonly account: AccountWatch;
  readonly notifier: Notifier;
}

/** Everything that Bolt is to call. Returns what keeps people's Homes, where it is kept who has opened theirs. */
export function listenTo(app: App, options: SlackOptions, speaking: Speaking): Keeper | undefined {
  const { receive, commands, clock, log, homes, homeEvery, own = ownAlone } = options;
  const { client, account, notifier } = speaking;
  const from = (): Receiver => receiver(options.workspace, account);
  // Bolt would log the error and pass it on; the intake logs it once.
  app.error((error) => Promise.reject(error));
  const { lateness = LATENESS, commandPrefix: command = '/signalbox' } = options;
  const answering = { lateness, notifier, log };
  const forms = new Forms({ ...answering, client, account, commands, receive, receiver: from, clock });
  listen(app, { ...answering, receive, command, receiver: from, forms });
  listenForForms(app, forms, () => account.account?.url ?? '', log);
  if (!homes) return undefined;
  listenAtHome(app, { ...answering, client, receive, receiver: from, homes, commands });
  return new HomeTabs({ client, account, receive, receiver: from, homes, own, log, every: homeEvery });
}

function receiver(workspace: string, { account }: AccountWatch): Receiver {
  // The intake lets nothing through before the account is known.
  if (account === undefined) throw new Refusal('unavailable', 'Slack has not said who we are yet.');
  return { workspace, team: account.team, botUser: account.botUser };
}
