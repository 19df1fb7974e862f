import type { App, RespondFn } from '@slack/bolt';
import type { Logger } from 'pino';
import { Refusal } from '../../../src/domain/errors.ts';
import { isInView } from '../decode.ts';
import { fromFormButton, fromShortcut, type Opening, type Place, type Wanted } from './decode.ts';
import type { Forms } from './forms.ts';
import { FORM_PREFIX, render } from '../rendering/render.ts';

/**
 * What opens forms, and what they come back as. A form opens before its trigger is acknowledged; nothing runs by it.
 * @param team the address of the team, for links to its messages.
 */
export function listenForForms(app: App, forms: Forms, team: () => string, log: Logger): void {
  app.action(
    { action_id: new RegExp(`^${FORM_PREFIX}`), type: 'block_actions' },
    async ({ body, ack, respond }) => {
      const failed = await opened(forms, () => fromFormButton(body));
      await ack();
      if (!failed) return;
      // On a Home there is no `response_url`.
      if (isInView(body)) await forms.say(body.user.id, failed.text);
      else await tell(respond, failed, log);
    },
  );

  app.shortcut({ type: 'message_action' }, async ({ body, ack, respond }) => {
    const failed = await opened(forms, () => {
      const { callback, message, ...opening } = fromShortcut(body, team());
      return { ...opening, wanted: forms.fromMessage(callback, message) };
    });
    await ack();
    if (failed) await tell(respond, failed, log);
  });

  // Views of an earlier version, too: whoever sends one is told.
  app.view(/^/, async ({ body, ack }) => {
    const { response, tell: tellElsewhere } = await forms.submit(body);
    await ack(response);
    await tellElsewhere?.();
  });
}

interface Failed {
  readonly text: string;
  readonly place: Place | undefined;
}

/** Why the form does not stand open, and where to say so; undefined where it does. */
async function opened(
  forms: Forms,
  decode: () => Opening & { readonly wanted: Wanted | undefined },
): Promise<Failed | undefined> {
  let place: Place | undefined;
  try {
    const { wanted, ...opening } = decode();
    place = opening.place;
    const text = await forms.open(opening, wanted);
    return text === undefined ? undefined : { text, place };
  } catch (error) {
    if (error instanceof Refusal) return { text: error.message, place };
    throw error;
  }
}

async function tell(respond: RespondFn, { text, place }: Failed, log: Logger): Promise<void> {
  const thread = place?.thread === undefined ? {} : { thread_ts: place.thread };
  try {
    await respond({ response_type: 'ephemeral', replace_original: false, ...thread, ...render({ text }) });
  } catch (error) {
    log.warn({ err: error }, 'slack did not take why a form did not open');
  }
}
