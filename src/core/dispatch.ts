import { MINUTE } from '../domain/clock.ts';
import { asRefusal, Refusal } from '../domain/errors.ts';
import { isObject, type JsonObject } from '../domain/json.ts';
import { may } from '../domain/permission.ts';
import { secretIn } from '../domain/redact.ts';
import type { Principal } from '../domain/principal.ts';
import type { Receive } from './adapter.ts';
import { refusalAnswer, withHints } from './answer.ts';
import { answerCardKey } from './approval-cards.ts';
import { Call } from './call.ts';
import { answerKey } from './jobs/report-keys.ts';
import type { Reading } from './language.ts';
import { offerLink } from './link.ts';
import { look } from './looking.ts';
import { nameMentions, refuseUnlinked } from './mentions.ts';
import type { Address, Answer, Body, Inbound } from './message.ts';
import { howToBecomeKnown, isTold, whyUnknown } from './outsiders.ts';
import { enqueue, isChangeable } from './outgoing.ts';
import { keep, receiptKey, replay } from './receipts.ts';
import type { Services } from './services.ts';
import type { Tx } from './store.ts';

/** What changed nothing (a refusal before authorization, one for the time being, a look that found nothing) does not consume its key. */
interface Outcome {
  readonly answer: Answer;
  readonly final: boolean;
  /** What a repeat gets, where the answer holds something that is shown once. */
  readonly kept?: Answer;
}

/**
 * The one way through: admit → parse → authorize → policy → run, inside one transaction with the receipt, the journal
 * and the outgoing messages. Never rejects: every error becomes an answer.
 */
export function createDispatcher(options: Services): Receive {
  const { store, admission, newId, log } = options;
  return async (message) => {
    const started = performance.now();
    const id = newId();
    const correlationId = message.correlationId ?? id;
    let answer: Answer;
    try {
      if (!message.counted) await admission.admit(message.channel, message.from, isBeat(options, message));
      // Reading may load what only plain language needs, so it is done before the transaction, which waits for nothing.
      const reading = await read(options, message);
      const { workspace } = message.from;
      const work = (tx: Tx) => handle(options, tx, { message, id, correlationId, reading });
      answer = await (onlyReads(message, reading)
        ? look(store, workspace, newId, work)
        : store.transaction(workspace, work));
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.code === 'internal')
        log.error({ err: error, correlationId, channel: message.channel }, 'a message failed');
      answer = refusalAnswer(id, correlationId, refusal);
      if (refusal.code === 'rate_limited' && isTold(message)) await explainLimit(options, message, answer);
    }
    options.answered?.(message, answer, (performance.now() - started) / 1_000);
    return answer;
  };
}

/** A message on its way: what it was read as, or why it could not be read. */
interface Received {
  readonly message: Inbound;
  readonly id: string;
  readonly correlationId: string;
  readonly reading: Reading | Refusal;
}

/** Whether nothing is to be written: no receipt, no outgoing message, and nothing by the command itself. */
function onlyReads({ dedupeKey, replyTo }: Inbound, reading: Reading | Refusal): boolean {
  if (dedupeKey !== undefined || replyTo) return false;
  return reading instanceof Refusal || reading.command.risk === 'read';
}

async function read({ store, language, clock }: Services, message: Inbound): Promise<Reading | Refusal> {
  const { body, unlinked } = await nameMentions(store, message);
  try {
    const understand = (said: Body) => language.read(said, { now: clock.now(), who: 'me' });
    const reading = await understand(body);
    await refuseUnlinked(reading, unlinked, understand);
    return reading;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

async function handle(options: Services, tx: Tx, received: Received): Promise<Answer> {
  const { message, id } = received;
  const who = await options.directory.resolve(tx, message.from);
  const key = receiptKey(message, who);
  const before = key && (await replay(tx, key));
  if (before) return (await noLongerAllowed(options, tx, received, who, before)) ?? before;
  const { answer, final, kept = answer } = await act(options, tx, received, who);
  // A message that is answered through the outbox is answered once, whatever the answer: its source sends it again.
  if (key && (final || message.replyTo)) await keep(tx, key, kept);
  if (message.replyTo && (who || isTold(message))) {
    await post(tx, answer, message.replyTo, key?.id ?? id);
  }
  return answer;
}

/** Queues the answer; one about a new job or an open request changes with it, where that can be. */
async function post(tx: Tx, answer: Answer, address: Address, id: string): Promise<void> {
  const key = (isChangeable(address) && changingKey(answer, id)) || `reply:${id}`;
  await enqueue(tx, { key, address, reply: withHints(answer) });
}

function changingKey({ reply: { job, approval } }: Answer, id: string): string | undefined {
  if (job !== undefined) return answerKey(job, id);
  return approval === undefined ? undefined : answerCardKey(approval, id);
}

/** A first answer is for whoever may still ask for it: with this key's scopes, and with the roles held today. */
async function noLongerAllowed(
  options: Services,
  tx: Tx,
  received: Received,
  who: Principal | undefined,
  before: Answer,
): Promise<Answer | undefined> {
  const { message, id, correlationId, reading } = received;
  // What was no command's answer (the offer of a link) is for strangers.
  if (before.status === 'error' || !before.invocation || reading instanceof Refusal) return undefined;
  if (!who) return (await stranger(tx, received)).answer;
  return new Call(options, tx, message, id, correlationId).denied(reading, who);
}

async function act(
  options: Services,
  tx: Tx,
  received: Received,
  who: Principal | undefined,
): Promise<Outcome> {
  const { message, id, correlationId, reading } = received;
  if (!who) return stranger(tx, received);
  if (reading instanceof Refusal) {
    const answer = refusalAnswer(id, correlationId, reading);
    return { answer: withForm(options, answer, reading, message, who), final: false };
  }
  const call = new Call(options, tx, message, id, correlationId);
  const answer = await call.execute(reading, who, undefined);
  return { answer, final: !isIdle(reading, answer) && !isForNow(answer) };
}

/** What was typed lacks something: whoever may run it can fill it in. */
function withForm(
  { commands }: Services,
  answer: Answer,
  { unfilled }: Refusal,
  { body }: Inbound,
  who: Principal,
): Answer {
  const command = unfilled && commands.find(unfilled.command);
  if (!command || !('text' in body)) return answer;
  if (command.needs !== 'none' && !may(who, command.needs)) return answer;
  const args = unfilled.args as JsonObject;
  // A form would carry it further, or come back with something else in its place.
  if (secretIn(args) !== undefined) return answer;
  const form = { label: 'Fill in', invocation: { command: command.name, args } };
  return { ...answer, reply: { ...answer.reply, form } };
}

/** A command in words is counted as any other message: it is read after it was admitted. */
const isBeat = ({ commands }: Services, { body }: Inbound): boolean =>
  'command' in body && commands.find(body.command)?.beats === true;

/** A budget is spent or a queue full: who comes again when told to does so with the same key, and is looked at anew. */
const isForNow = ({ error }: Answer): boolean => error?.code === 'rate_limited';

/** It asked for what may come, and nothing has: nothing was done, so a repeat looks again. */
function isIdle({ command }: Reading, { status, reply }: Answer): boolean {
  const waits = command.route?.waits;
  return (
    waits !== undefined && !waits.again && status === 'ok' && isObject(reply.data) && waits.idle(reply.data)
  );
}

/** Proven, but linked to nobody: recorded, and told how to become known. */
async function stranger(tx: Tx, received: Received): Promise<Outcome> {
  const { message, id, correlationId, reading } = received;
  const { channel, subject, assurance } = message.from;
  const offer = await offerLink(tx, message);
  if (offer) {
    const shown = { id, status: 'ok', reply: offer, correlationId } as const;
    const again = { text: 'Your code was sent already. For another one, send `link` once more.' };
    return { answer: shown, final: true, kept: { ...shown, reply: again } };
  }
  await tx.append({
    event: 'command.denied',
    actor: `${channel}:${subject}`,
    target: reading instanceof Refusal ? 'unknown' : reading.invocation.command,
    correlationId,
    cause: message.cause ?? id,
    details: { channel: message.channel, assurance, reason: whyUnknown(message.from) },
  });
  const refusal = new Refusal('forbidden', howToBecomeKnown(message.from));
  return { answer: refusalAnswer(id, correlationId, refusal), final: true };
}

/** One explanation per sender and minute, so that a flood is not answered with a flood. */
async function explainLimit(
  { store, clock, log }: Services,
  message: Inbound,
  answer: Answer,
): Promise<void> {
  const address = message.replyTo;
  if (!address) return;
  const minute = Math.floor(clock.now().getTime() / MINUTE);
  const key = `limited:${message.from.channel}:${message.from.subject}:${minute}`;
  try {
    await store.transaction(message.from.workspace, (tx) =>
      enqueue(tx, { key, address, reply: answer.reply }),
    );
  } catch (err) {
    log.warn({ err }, 'could not explain a rate limit');
  }
}
