import type { App, RespondFn } from '@slack/bolt';
import type { Logger } from 'pino';
import type { Receive } from '../../src/core/adapter.ts';
import type { Inbound } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import {
  fromClick,
  fromDirectMessage,
  fromMention,
  fromSlashCommand,
  isDirect,
  isInView,
  isNoise,
  type Receiver,
} from './decode.ts';
import type { Forms } from './forms.ts';
import { ACTION_PREFIX, render, renderAnswer, type Rendered } from './render.ts';

export interface ListenerOptions {
  readonly receive: Receive;
  readonly log: Logger;
  /** The slash command, with its slash; `/sb` is always another word for it. */
  readonly command: string;
  readonly receiver: () => Receiver;
  readonly forms: Forms;
}

/** What Bolt calls. Everything is committed before it is acknowledged: `receive` resolves after the commit. */
export function listen(app: App, { receive, log, command, receiver, forms }: ListenerOptions): void {
  for (const name of new Set([command, '/sb'])) {
    app.command(name, async ({ body, ack }) => {
      let isOpen = false;
      const orAsk: Receive = async (message) => {
        const answer = await receive(message);
        isOpen = await forms.openFor(body, answer);
        return answer;
      };
      const answer = await answered(orAsk, () => fromSlashCommand(body, receiver()));
      // A form that stands open says what there is to say.
      await (isOpen ? ack() : ack({ response_type: 'ephemeral', ...answer }));
    });
  }

  app.event('app_mention', ({ body }) => taken(body, fromMention));
  app.event('message', async ({ body }) => {
    if (isDirect(body)) await taken(body, fromDirectMessage);
  });

  /** The answer goes through the outbox; where nothing could be written, Slack has to deliver again. */
  async function taken(body: unknown, decode: typeof fromMention): Promise<void> {
    if (isNoise(body)) return;
    const message = readOr(() => decode(body, receiver()), log);
    if (message === undefined) return;
    const { error } = await receive(message);
    if (error?.code === 'unavailable' || error?.code === 'internal')
      throw new Error(`the event could not be taken: ${error.code}`);
  }

  app.action(
    { action_id: new RegExp(`^${ACTION_PREFIX}`), type: 'block_actions' },
    async ({ body, ack, respond }) => {
      if (isInView(body)) return;
      let thread: string | undefined;
      const answer = await answered(receive, () => {
        const click = fromClick(body, receiver());
        thread = click.thread;
        return click.message;
      });
      await ack();
      await tell(respond, answer, thread, log);
    },
  );
}

/** The rendered answer, also where the payload cannot be read. */
async function answered(receive: Receive, decode: () => Inbound): Promise<Rendered> {
  let message: Inbound;
  try {
    message = decode();
  } catch (error) {
    if (error instanceof Refusal) return render({ text: error.message });
    throw error;
  }
  return renderAnswer(await receive(message));
}

function readOr(decode: () => Inbound, log: Logger): Inbound | undefined {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    log.warn({ err: error }, 'slack event cannot be read');
    return undefined;
  }
}

/** Shows the clicker the answer. The effect stands whether or not Slack takes it. */
async function tell(
  respond: RespondFn,
  answer: Rendered,
  thread: string | undefined,
  log: Logger,
): Promise<void> {
  const place = thread === undefined ? {} : { thread_ts: thread };
  try {
    await respond({ response_type: 'ephemeral', replace_original: false, ...place, ...answer });
  } catch (error) {
    log.warn({ err: error }, 'slack did not take the answer to a click');
  }
}
