import type { App, webApi } from '@slack/bolt';
import type { Receive } from '../../../src/core/adapter.ts';
import { refusalAnswer, withHints } from '../../../src/core/answer.ts';
import type { CommandSet } from '../../../src/core/command.ts';
import type { Homes } from '../../../src/core/homes.ts';
import { newId } from '../../../src/core/ids.ts';
import type { Answer, Inbound } from '../../../src/core/message.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { fromClick, isInView, openedHome, type Receiver, type View, viewOf } from '../decode.ts';
import { answerDirectly, type AnsweringOptions, isDoneWithin } from '../late.ts';
import { ACTION_PREFIX, renderAnswer } from '../rendering/render.ts';

export interface HomeListenerOptions extends AnsweringOptions {
  readonly client: webApi.WebClient;
  readonly receive: Receive;
  readonly receiver: () => Receiver;
  readonly homes: Homes;
  readonly commands: CommandSet;
}

/** What people do on their Home: they open it, and click there, or in the window that such a click opened. */
export function listenAtHome(app: App, options: HomeListenerOptions): void {
  const { receive, receiver, homes, lateness, log } = options;
  const subjectOf = (user: string): string => `${receiver().team}/${user}`;

  // Whoever keeps the Homes hears of it, in this process or in another.
  app.event('app_home_opened', async ({ body }) => {
    const user = openedHome(body);
    if (user !== undefined) await homes.opened(subjectOf(user));
  });

  app.action({ action_id: new RegExp(`^${ACTION_PREFIX}`), type: 'block_actions' }, async ({ body, ack }) => {
    if (!isInView(body)) return;
    const view = viewOf(body);
    const told = answered(receive, () => fromClick(body, receiver()).message);
    await isDoneWithin(lateness.after, told);
    await ack();
    const answer = await told;
    await homes
      .opened(subjectOf(view.user))
      .catch((err: unknown) => log.warn({ err }, 'slack: a Home is late'));
    // The Home itself shows what became of it.
    if (!view.isHome || !isSeen(answer, options.commands)) await tell(options, view, answer);
  });
}

/** The pipeline's answer, or why the click cannot be read. */
async function answered(receive: Receive, decode: () => Inbound): Promise<Answer> {
  let message: Inbound;
  try {
    message = decode();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const id = newId();
    return refusalAnswer(id, id, error);
  }
  return receive(message);
}

/** Whether it changed something, which the Home shows; what was only looked at has to be shown. */
const isSeen = ({ status, invocation }: Answer, commands: CommandSet): boolean => {
  const risk = invocation && commands.find(invocation.command)?.risk;
  return status === 'ok' && risk !== undefined && risk !== 'read';
};

/**
 * Shows the clicker the answer in a window, as a click on a view has no `response_url`
 * (docs.slack.dev/reference/interaction-payloads/block_actions-payload), or writes it to them where that cannot be opened
 * any more. The effect stands whether or not Slack takes either.
 */
async function tell(options: HomeListenerOptions, at: View, answer: Answer): Promise<void> {
  const { client, log } = options;
  const { blocks } = renderAnswer(answer);
  const view = {
    type: 'modal' as const,
    title: { type: 'plain_text' as const, text: 'Signalbox' },
    close: { type: 'plain_text' as const, text: 'Close' },
    blocks,
  };
  try {
    await (at.isHome
      ? client.views.open({ trigger_id: at.trigger, view })
      : client.views.update({ view_id: at.id, view }));
  } catch (err) {
    log.warn({ err }, 'slack did not open a window for an answer; it is written to the person');
    await answerDirectly(at.user, withHints(answer), options);
  }
}
