import { z } from 'zod';
import { compileCel } from '../../src/core/cel.ts';
import { verified, type Inbound, type VerifiedIdentity } from '../../src/core/message.ts';
import type { Rule, Source } from '../../src/domain/catalog.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Json } from '../../src/domain/json.ts';
import type { Headers } from './verify/signature.ts';

/** A genuine delivery, parsed. */
export interface Delivery {
  readonly id: string;
  readonly event: string;
  readonly payload: Json;
  readonly headers: Readonly<Record<string, string>>;
  /** The job that led to it, as far as it says. */
  readonly cause: string | undefined;
}

export interface CompiledRule {
  readonly name: string;
  /** Whether the condition holds. @throws Refusal when it cannot be evaluated on this payload. */
  matches(delivery: Delivery): boolean;
  /** The rule's command as a message. @throws Refusal when an argument or the author cannot be read. */
  message(delivery: Delivery, workspace: string): Inbound;
}

const VARIABLES = ['event', 'payload', 'headers'];

/** Compiles a source's rules. @throws Refusal that names the rule and field whose expression is wrong. */
export function compileRules(source: Source): CompiledRule[] {
  return source.rules.map((rule) => compileRule(source, rule));
}

function compileRule(source: Source, rule: Rule): CompiledRule {
  const where = `webhook ${source.name}, rule ${rule.name}`;
  const when = compile(`${where}, when`, rule.when);
  const author = rule.as === undefined ? undefined : compile(`${where}, as`, rule.as);
  const args = Object.entries(rule.args).map(
    ([name, expression]) => [name, compile(`${where}, argument ${name}`, expression)] as const,
  );
  return {
    name: rule.name,
    matches: (delivery) => when(delivery) === true,
    message: (delivery, workspace) => ({
      channel: 'webhook',
      from: senderOf(source, workspace, author?.(delivery)),
      body: {
        command: rule.command,
        args: Object.fromEntries(args.map(([name, value]) => [name, value(delivery)])),
      },
      dedupeKey: `webhook:${source.name}:${delivery.id}:${rule.name}`,
      conversation: `webhook:${source.name}`,
      ...authorOf(source, delivery),
      correlationId: delivery.id,
      cause: nameOf(source, delivery),
      causes: [...(delivery.cause === undefined ? [] : [delivery.cause]), nameOf(source, delivery)],
    }),
  };
}

const nameOf = (source: Source, { id }: Delivery): string => `webhook:${source.name}:${id}`;

/**
 * The linked author when the rule names one, else the source itself. User ids of github and gitlab are their
 * provider's; those of other kinds mean something only together with the source that speaks of them.
 */
function senderOf(source: Source, workspace: string, author: unknown): VerifiedIdentity {
  const proof = { workspace, assurance: 'signature', scopes: ['*'] } as const;
  if (author === undefined) return verified({ ...proof, channel: 'source', subject: source.name });
  const id = typeof author === 'number' && Number.isSafeInteger(author) ? String(author) : author;
  if (typeof id !== 'string' || id === '')
    throw new Refusal('forbidden', 'The rule runs as the author, but the payload names none.');
  const global = source.kind === 'github' || source.kind === 'gitlab';
  return verified({
    ...proof,
    channel: source.kind,
    subject: global ? id : `${source.name}/${id}`,
  });
}

/** Who caused the event, as GitHub (`sender`) and GitLab (`user_id` or `user`) say it. */
function authorOf({ kind }: Source, { payload }: Delivery): Pick<Inbound, 'author'> {
  if (kind !== 'github' && kind !== 'gitlab') return {};
  const { sender, user, user_id } = authors.safeParse(payload).data ?? {};
  const id = kind === 'github' ? sender?.id : (user_id ?? user?.id);
  return id === undefined ? {} : { author: { channel: kind, subject: String(id) } };
}

const id = z.union([z.int(), z.string()]).optional().catch(undefined);
const whose = z.looseObject({ id }).optional().catch(undefined);
const authors = z.looseObject({ sender: whose, user: whose, user_id: id });

function compile(where: string, expression: string): (delivery: Delivery) => unknown {
  const program = named(where, () => compileCel(expression, VARIABLES));
  return ({ event, payload, headers }) => named(where, () => program.evaluate({ event, payload, headers }));
}

function named<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    throw new Refusal(cause.code, `${where}: ${cause.message}`, { cause });
  }
}

const SECRETIVE = /signature|authorization|cookie|token/;

/** The headers as rules see them: lower-case names, one text each, nothing that is a credential. */
export function visible(headers: Headers): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => !SECRETIVE.test(name));
  return Object.fromEntries(entries.map(([name, values]) => [name, (values ?? []).join(', ')]));
}
