import type { App, RespondFn } from '@slack/bolt';
import type { Logger } from 'pino';
import { withHints } from '../../src/core/answer.ts';
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
import type { Forms } from './forms/forms.ts';
import { answer, type AnsweringOptions, isDoneWithin, STILL_WORKING, type Told } from './late.ts';
import { ACTION_PREFIX, render, renderAnswer } from './rendering/render.ts';

export interface ListenerOptions extends AnsweringOptions {
  readonly receive: Receive;
  /** The slash command, with its slash; `/sb` is always another word for it. */
  readonly command: string;
  readonly receiver: () => Receiver;
  readonly forms: Forms;
}

/**
 * What Bolt calls. Everything is committed before it is acknowledged: `receive` resolves after the commit. What takes longer
 * than Slack waits is the exception (docs/adr/0018-a-late-answer-goes-to-the-response-url.md).
 */
export function listen(app: App, options: ListenerOptions): void {
  const { receive, log, command, receiver, lateness, forms } = options;
  for (const name of new Set([command, '/sb'])) {
    app.command(name, async ({ body, ack, respond }) => {
      let isOpen = false;
      const orAsk: Receive = async (message) => {
        const given = await receive(message);
        isOpen = await forms.openFor(body, given);
        return given;
      };
      const told = answered(orAsk, () => fromSlashCommand(body, receiver()));
      const inTime = await isDoneWithin(lateness.after, told);
      // A form that stands open says what there is to say.
      if (inTime) return isOpen ? ack() : ack({ response_type: 'ephemeral', ...(await told).shown });
      await ack(STILL_WORKING);
      const late = await told;
      if (isOpen) await takeBack(respond, log);
      else await answer(respond, late, { replace_original: true }, options);
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
      const told = answered(receive, () => {
        const click = fromClick(body, receiver());
        thread = click.thread;
        return click.message;
      });
      await isDoneWithin(lateness.after, told);
      await ack();
      const place = thread === undefined ? {} : { thread_ts: thread };
      await answer(respond, await told, { replace_original: false, ...place }, options);
    },
  );
}

/** The answer, also where the payload cannot be read. */
async function answered(receive: Receive, decode: () => Inbound): Promise<Told> {
  let message: Inbound;
  try {
    message = decode();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const reply = { text: error.message };
    return { shown: render(reply), reply, user: undefined };
  }
  const given = await receive(message);
  const user = message.origin?.context?.['user'];
  const reply = withHints(given);
  return { shown: renderAnswer(given), reply, user: typeof user === 'string' ? user : undefined };
}

/** The form says it all: the line that was shown before it goes. */
async function takeBack(respond: RespondFn, log: Logger): Promise<void> {
  try {
    await respond({ delete_original: true });
  } catch (err) {
    log.warn({ err }, 'slack did not take back a line');
  }
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
