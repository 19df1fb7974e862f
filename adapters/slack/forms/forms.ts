import type { RespondFn, types, webApi } from '@slack/bolt';
import type { Receive } from '../../../src/core/adapter.ts';
import { withHints } from '../../../src/core/answer.ts';
import type { CommandSet } from '../../../src/core/command.ts';
import { formOf, readForm, type Form } from '../../../src/core/form.ts';
import type { Answer } from '../../../src/core/message.ts';
import { MINUTE, SECOND, type Clock } from '../../../src/domain/clock.ts';
import { Refusal, type ArgumentFault } from '../../../src/domain/errors.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { isTokenRefused, platformError, type AccountWatch } from '../account.ts';
import type { Receiver } from '../decode.ts';
import { fromSlash, fromSubmission, type Memo, type Opening, type Place, type Wanted } from './decode.ts';
import { errorsAt, formView, isOf, noticeView, refilled, valuesIn } from './view.ts';
import { answer as answerLate, answerDirectly, isDoneWithin, type AnsweringOptions } from '../late.ts';
import { renderAnswer } from '../rendering/render.ts';

export interface FormsParts extends AnsweringOptions {
  readonly client: webApi.WebClient;
  readonly account: AccountWatch;
  readonly commands: CommandSet;
  readonly receive: Receive;
  readonly receiver: () => Receiver;
  readonly clock: Clock;
}

/** What the acknowledgement of a sent form says (docs.slack.dev/surfaces/modals). */
type Response =
  | { response_action: 'clear' }
  | { response_action: 'errors'; errors: Record<string, string> }
  | { response_action: 'update'; view: types.ModalView };

/** What is done about a form that was sent: what its view shows, and where else the answer is told once that is acknowledged. */
export interface Sent {
  readonly response: Response;
  readonly tell?: () => Promise<void>;
}

/** A trigger lives three seconds, and so long may an acknowledgement take: what is not open by then is given up. */
const PATIENCE = 2 * SECOND;
/** How long a `response_url` is used, of its thirty minutes. */
const ANSWERED_WITHIN = 29 * MINUTE;

/** Refusals that another value, or another time, may mend. */
const MENDABLE = new Set(['invalid_argument', 'not_found', 'rate_limited', 'unavailable', 'internal']);
/** Refusals that are not kept: sending the same again is the same sending. */
const PASSING = new Set(['rate_limited', 'unavailable', 'internal']);

const OUT_OF_DATE = 'This form is out of date; type the command instead.';

/** Forms in modals: made from a command's own schema, opened by a trigger, and sent once. It knows no command by name. */
export class Forms {
  readonly #parts: FormsParts;

  constructor(parts: FormsParts) {
    this.#parts = parts;
  }

  /** The command that a message shortcut stands for, with what its form begins with; undefined for one that is not known. */
  fromMessage(callback: string, message: { text: string; link: string }): Wanted | undefined {
    const command = this.#parts.commands.all.find((one) => one.fromMessage?.id === callback);
    return (
      command?.fromMessage && { command: command.name, args: command.fromMessage.args(message), asks: [] }
    );
  }

  /** Opens a form for whoever caused the trigger. Resolves with why it does not stand open; undefined where it does. */
  async open({ trigger, place }: Opening, wanted: Wanted | undefined): Promise<string | undefined> {
    const { client, clock, log } = this.#parts;
    const form = wanted && this.#form(wanted);
    if (!form) return OUT_OF_DATE;
    const until = clock.now().getTime() + ANSWERED_WITHIN;
    const view = formView(form, memoOf(form, { ...wanted, attempt: 0, place, until }));
    if (!view) return 'What was given is too long for a form; type the command instead.';
    try {
      await inTime(client.views.open({ trigger_id: trigger, view }));
      return undefined;
    } catch (error) {
      const word = platformError(error);
      if (word !== undefined && isTokenRefused(word)) this.#parts.account.tokenRefused(word);
      log.warn({ err: error, command: wanted.command }, 'slack did not open a form');
      return 'Slack did not open the form in time; try again, or type the command.';
    }
  }

  /** Opens the form for what a slash command lacks, if its answer has one. Resolves with whether it stands open. */
  async openFor(payload: unknown, { reply: { form } }: Answer): Promise<boolean> {
    if (!form) return false;
    const { invocation, asks = [] } = form;
    return (await this.open(fromSlash(payload), { ...invocation, asks })) === undefined;
  }

  /** A form was sent: runs the command once, and says what became of it. Never rejects for what the form holds. */
  async submit(payload: unknown): Promise<Sent> {
    const { receive, receiver } = this.#parts;
    try {
      const { memo, user, state, message } = fromSubmission(payload, receiver());
      const form = this.#form(memo);
      if (!form || !isOf(form, state)) return noticed('Form', OUT_OF_DATE);
      const values = valuesIn(form, state);
      const read = readOr(form, values);
      if (read instanceof Refusal) return faulty(form, read.argument, read.message);
      const answer = await receive(message(read));
      if (answer.error) return refused(refilled(form, values), memo, answer);
      return this.#done(form, memo, user, answer);
    } catch (error) {
      if (error instanceof Refusal) return noticed('Form', error.message);
      throw error;
    }
  }

  /** Told where the form came from; in the form's own place where that can no longer be answered. */
  #done(form: Form, { place, until }: Memo, user: string, answer: Answer): Sent {
    const { responseUrl } = place;
    if (responseUrl === undefined || this.#parts.clock.now().getTime() > until || !answer.invocation)
      return noticed(form.title, answer.reply.text);
    return {
      response: { response_action: 'clear' },
      tell: () => this.#tell({ ...place, responseUrl }, user, answer),
    };
  }

  /** The form is gone by now: where its place does not take the answer, the person is told directly. */
  #tell(
    { thread, responseUrl }: Place & { responseUrl: string },
    user: string,
    answer: Answer,
  ): Promise<void> {
    const told = { shown: renderAnswer(answer), reply: withHints(answer), user };
    const place = { replace_original: false, ...(thread !== undefined && { thread_ts: thread }) };
    return answerLate((message) => respond(responseUrl, message), told, place, this.#parts);
  }

  /** Tells somebody directly, where what they clicked on has no place of its own for an answer. */
  say(user: string, text: string): Promise<void> {
    return answerDirectly(user, { text }, this.#parts);
  }

  /** Undefined where the command is gone, or an argument that was settled. */
  #form({ command, args, asks }: Wanted): Form | undefined {
    const found = this.#parts.commands.find(command);
    const takes = found && Object.keys(args).every((name) => Object.hasOwn(found.args.shape, name));
    return takes ? formOf(found, { given: args, asks }) : undefined;
  }
}

/** Only what is settled travels: what stands in the fields comes back with them. */
const memoOf = (form: Form, { command, asks, attempt, place, until }: Memo): JsonObject => {
  const { channel, thread, responseUrl } = place;
  return {
    command,
    args: form.given,
    asks,
    attempt,
    place: {
      channel,
      ...(thread !== undefined && { thread }),
      ...(responseUrl !== undefined && { responseUrl }),
    },
    until,
  };
};

function readOr(form: Form, values: Parameters<typeof readForm>[1]): JsonObject | Refusal {
  try {
    return readForm(form, values);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

const noticed = (title: string, text: string): Sent => ({
  response: { response_action: 'update', view: noticeView(title, text) },
});

/** What cannot even be read is said below the field at fault; nothing was run or kept. */
function faulty(form: Form, fault: ArgumentFault | undefined, message: string): Sent {
  const errors = errorsAt(form, fault?.name, fault?.problem ?? message);
  return errors ? { response: { response_action: 'errors', errors } } : noticed(form.title, message);
}

/** A refusal: what may be mended stays to be sent again, as a sending of its own where the first answer is kept. */
function refused(form: Form, memo: Memo, { error, invocation, reply, correlationId }: Answer): Sent {
  const code = error?.code ?? 'internal';
  if (code === 'key_reused')
    return noticed(
      form.title,
      'This form was sent before, and what came of that stands. Open it again for more.',
    );
  if (!invocation && (code === 'invalid_argument' || code === 'malformed'))
    return faulty(form, error?.argument, reply.text);
  const text = code === 'internal' ? `${reply.text} (${correlationId})` : reply.text;
  if (!MENDABLE.has(code)) return noticed(form.title, text);
  const attempt = PASSING.has(code) ? memo.attempt : memo.attempt + 1;
  const view = formView(form, memoOf(form, { ...memo, attempt }), text);
  return view ? { response: { response_action: 'update', view } } : noticed(form.title, text);
}

/** @throws Error with Slack's status as `statusCode` where it does not take the message. */
async function respond(url: string, message: Parameters<RespondFn>[0]): Promise<void> {
  const signal = AbortSignal.timeout(10 * SECOND);
  const headers = { 'content-type': 'application/json' };
  const { ok, status } = await fetch(url, {
    method: 'POST',
    headers,
    body: JSON.stringify(message),
    signal,
  });
  if (!ok)
    throw Object.assign(new Error('Slack did not take a message at its response_url.'), {
      statusCode: status,
    });
}

/** @throws Error when it takes longer than there is time for; what becomes of it then shows by itself. */
async function inTime(work: Promise<unknown>): Promise<void> {
  if (!(await isDoneWithin(PATIENCE, work))) throw new Error('Slack took too long.');
}
