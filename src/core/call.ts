import { MINUTE } from '../domain/clock.ts';
import { Refusal, type RefusalEntry } from '../domain/errors.ts';
import { canonical, sha256, type JsonObject } from '../domain/json.ts';
import type { JournalEntry, NewEntry } from '../domain/journal.ts';
import { may, type Permission } from '../domain/permission.ts';
import type { Principal } from '../domain/principal.ts';
import { confirmations } from '../domain/records.ts';
import { refuseSecrets } from '../domain/redact.ts';
import { refusalAnswer } from './answer.ts';
import { requestApproval } from './approvals.ts';
import type { ApprovedBy, Command, Ctx } from './command.ts';
import type { Reading } from './language.ts';
import type { Answer, Invocation, Reply, Said, Status } from './message.ts';
import type { Services } from './services.ts';
import type { Tx } from './store.ts';

/** How long a plain-language reading waits for its `yes`. */
const CONFIRM_WITHIN = 10 * MINUTE;
const NO_PLACES: ReadonlyMap<string, string> = new Map();

/** A reading whose arguments stand for themselves, with those who chose them besides the sender. */
interface Filled extends Reading {
  readonly authors?: readonly string[];
}

/** The arguments as the journal keeps them. */
function recorded({ bulky }: Command, args: JsonObject): JsonObject {
  if (!bulky) return args;
  const kept = Object.entries(args).map(([name, value]) => {
    if (!bulky.includes(name)) return [name, value];
    const text = typeof value === 'string' ? value : canonical(value);
    return [name, { size: Buffer.byteLength(text), sha256: sha256(text) }];
  });
  return Object.fromEntries(kept) as JsonObject;
}

/** One message's way through authorize → policy → run, inside its transaction; also of what a command invokes in turn. */
export class Call {
  readonly #services: Services;
  readonly #tx: Tx;
  readonly #message: Said;
  readonly #id: string;
  readonly #correlationId: string;

  constructor(services: Services, tx: Tx, message: Said, id: string, correlationId: string) {
    this.#services = services;
    this.#tx = tx;
    this.#message = message;
    this.#id = id;
    this.#correlationId = correlationId;
  }

  async execute(given: Reading, who: Principal, approved: ApprovedBy | undefined): Promise<Answer> {
    let reading: Filled = given;
    try {
      if (!approved) reading = await this.#expanded(given, who);
      const { command, args, invocation } = reading;
      const denial = await this.#denial(reading, who);
      if (denial) return denial;
      if (!reading.sure && command.risk !== 'read') return await this.#confirm(reading, who);
      const { status, reply } =
        command.risk === 'read'
          ? { status: 'ok' as const, reply: await command.run(this.context(who, approved, null), args) }
          : await this.#tx.attempt(() => this.#change(reading, who, approved));
      if (reply.answer) return { ...reply.answer, invocation };
      if (reply.refusal) return refusalAnswer(this.#id, this.#correlationId, reply.refusal, invocation);
      return { id: this.#id, status, invocation, reply, correlationId: this.#correlationId };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.entry) await this.#tx.append(this.#entry(who, error.entry));
      if (error.code === 'forbidden') return this.#deny(reading, who, error.message);
      return refusalAnswer(this.#id, this.#correlationId, error, reading.invocation);
    }
  }

  /** The recorded denial of what was answered before, where a permission is missing by now. */
  async denied(given: Reading, who: Principal): Promise<Answer | undefined> {
    // What it referred to may be gone; the first answer is no less theirs for that.
    const reading = await this.#expanded(given, who).catch(() => given);
    return this.#denial(reading, who);
  }

  /** The reading with what its arguments refer to in their place. */
  async #expanded(
    reading: Reading,
    who: Principal,
    places = this.#message.places ?? NO_PLACES,
  ): Promise<Filled> {
    const { command, args, invocation, sure } = reading;
    if (!command.expand || (command.needs !== 'none' && !may(who, command.needs))) return reading;
    const { catalog, language } = this.#services;
    const tx = this.#tx;
    const { args: filled, authors = [] } = await command.expand(
      { tx, who, catalog, given: invocation.args, places },
      args,
    );
    if (filled === invocation.args) return reading;
    const context = { now: tx.now, who: who.name };
    return { ...(await language.read({ command: command.name, args: filled }, context)), sure, authors };
  }

  async #denial(reading: Reading, who: Principal): Promise<Answer | undefined> {
    const missing = this.#missing(reading.command, reading.args, who);
    return missing && this.#deny(reading, who, `it needs the permission ${missing}`);
  }

  async #change(
    { command, args, invocation, authors }: Filled,
    who: Principal,
    approved: ApprovedBy | undefined,
  ): Promise<{ status: Status; reply: Reply }> {
    const accepted = command.unrecorded
      ? undefined
      : await this.#record('command.accepted', who, invocation, {
          args: recorded(command, invocation.args),
          ...(approved && { approval: approved.ref }),
        });
    const ctx = this.context(who, approved, accepted?.id ?? null, authors);
    const before = approved ? undefined : await command.repeated?.(ctx, args);
    if (before) return { status: 'ok', reply: before };
    const policy = approved ? undefined : await command.policy?.(ctx, args);
    if (!policy) return { status: 'ok', reply: await command.run(ctx, args) };
    return {
      status: 'pending_approval',
      reply: await requestApproval(ctx, command, args, invocation, policy),
    };
  }

  /** The first permission that is not held, if any: deny by default. */
  #missing(command: Command, args: Record<string, unknown>, who: Principal): Permission | undefined {
    if (command.needs !== 'none' && !may(who, command.needs)) return command.needs;
    const further = command.alsoNeeds?.(args, this.#services.catalog) ?? [];
    return further.find((permission) => !may(who, permission));
  }

  async #deny({ command, invocation }: Reading, who: Principal, reason: string): Promise<Answer> {
    const args = recorded(command, invocation.args);
    await this.#record('command.denied', who, invocation, { args, reason });
    const refusal = new Refusal(
      'forbidden',
      `You may not run ${invocation.command.replaceAll('.', ' ')}: ${reason.replace(/\.$/, '')}.`,
    );
    return refusalAnswer(this.#id, this.#correlationId, refusal, invocation);
  }

  /** Shows the reading back as a command and keeps it until the same person says yes in the same conversation. */
  async #confirm({ invocation }: Reading, who: Principal): Promise<Answer> {
    refuseSecrets(invocation.args);
    const id = this.#tx.id();
    const { conversation } = this.#message;
    await this.#tx.remove(confirmations, { principal: who.name, conversation });
    await this.#tx.insert(confirmations, {
      id,
      principal: who.name,
      conversation,
      ...invocation,
      expiresAt: new Date(this.#tx.now.getTime() + CONFIRM_WITHIN),
    });
    const shown = this.#services.language.format(invocation);
    const reply: Reply = {
      text: `I read this as:\n${shown}\nSend \`yes\` to run it, \`no\` to forget it.`,
      data: { confirm: id, text: shown },
      actions: [
        { label: 'Yes', style: 'primary', invocation: { command: 'yes', args: { id } } },
        { label: 'No', invocation: { command: 'no', args: { id } } },
      ],
    };
    return {
      id: this.#id,
      status: 'needs_confirmation',
      invocation,
      reply,
      correlationId: this.#correlationId,
    };
  }

  #record(
    event: string,
    who: Principal,
    { command }: Invocation,
    details: JsonObject,
  ): Promise<JournalEntry> {
    const { channel, from } = this.#message;
    // What an approval released is the requester's; the message is the approver's, and recorded with the vote.
    const whence =
      'approval' in details
        ? {}
        : { channel, identity: `${from.channel}:${from.subject}`, assurance: from.assurance };
    return this.#tx.append(this.#entry(who, { event, target: command, details: { ...details, ...whence } }));
  }

  /** An entry of this message's, as the first thing that it led to. */
  #entry(who: Principal, entry: RefusalEntry): NewEntry {
    const cause = this.#message.cause ?? this.#id;
    return { ...entry, actor: who.name, correlationId: this.#correlationId, cause };
  }

  /** What a command gets to see and do, as `who`. */
  context(
    who: Principal,
    approved: ApprovedBy | undefined,
    cause: string | null,
    authors: readonly string[] = [],
  ): Ctx {
    const { catalog, commands, directory, health, language } = this.#services;
    const { channel, conversation, replyTo, origin, ifMatch, proof, from, author } = this.#message;
    const { causes = [], dedupeKey, places = NO_PLACES } = this.#message;
    const tx = this.#tx;
    const correlationId = this.#correlationId;
    return {
      who,
      channel,
      conversation,
      replyTo: replyTo ?? origin,
      workspace: tx.workspace,
      now: tx.now,
      tx,
      correlationId,
      cause,
      causes,
      inboundKey: dedupeKey,
      apiKey: from.channel === 'key' ? from.subject : undefined,
      ifMatch,
      proof,
      places,
      assurance: from.assurance,
      chain: async () => [...new Set([...(await directory.chain(tx, who, author)), ...authors])],
      approved,
      catalog,
      health,
      commands,
      emit: (event, target, details) =>
        tx.append({ event, actor: who.name, target, correlationId, cause, details }),
      invoke: async (invocation, as) => {
        const reading = await language.read(invocation, { now: tx.now, who: (as?.who ?? who).name });
        if (!as) return this.execute(reading, who, undefined);
        const call = new Call(this.#services, tx, this.#message, this.#id, as.correlationId);
        return call.execute(reading, as.who, as.approved);
      },
      check: async (body) => {
        const { invocation, ...read } = await language.read(body, { now: tx.now, who: who.name });
        // When it runs later, no message says what a place's name means.
        const { command, args } = await this.#expanded({ invocation, ...read }, who, NO_PLACES);
        const missing = this.#missing(command, args, who);
        return { invocation, missing, impossible: refusalOf(() => command.possible?.(args, catalog)) };
      },
      format: (invocation) => language.format(invocation),
      principal: (name, scopes) => directory.byName(tx, name, scopes),
    };
  }
}

function refusalOf(work: () => void): Refusal | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
