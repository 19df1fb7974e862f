import type { z } from 'zod';
import type { ApprovalPolicy } from '../domain/approval.ts';
import type { Catalog } from '../domain/catalog.ts';
import type { Refusal } from '../domain/errors.ts';
import type { JsonObject } from '../domain/json.ts';
import type { JournalEntry } from '../domain/journal.ts';
import type { Permission } from '../domain/permission.ts';
import type { Assurance, Principal } from '../domain/principal.ts';
import type { Answer, Address, Body, Invocation, Reply, Via } from './message.ts';
import type { ReadTx, Tx } from './store.ts';

export type Risk = 'read' | 'write' | 'destructive' | 'financial';

/** Documentation, help and test at once: `text` and `json` are read as the same invocation, `says` as its plain form. */
export interface Example {
  readonly text: string;
  readonly json: Invocation;
  readonly says?: string;
}

/**
 * A REST route of a command. `path` is as in OpenAPI (`/v1/tasks/{id}`); path parameters, then query (GET) or body
 * fields, fill the arguments of the same names.
 */
export interface Route {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  readonly path: string;
  /** Success status; 200 unless told. */
  readonly status?: 200 | 201;
  /** `required`: a request without `If-Match` is refused with 428. */
  readonly ifMatch?: 'required';
  /** With `wait` (seconds) among the arguments, an idle answer is given only once the time is over. */
  readonly waits?: Waits;
  /** Bytes of a request's body at most; a megabyte unless told. */
  readonly maxBody?: number;
  /** The answer's data is a `FileData`, and REST sends the file itself. */
  readonly sends?: 'file';
}

/** How a request may wait: the command runs again once it may have something to tell. */
export interface Waits {
  /** Whether this data of an answer says that there is nothing to tell. */
  idle(data: JsonObject): boolean;
  /** Whether this entry of the journal may have brought something. */
  wakes(entry: JournalEntry, args: JsonObject, catalog: Catalog): boolean;
  /**
   * The instant from which running it again may find something; undefined: none is known. Looked up without the write
   * lock, so that those who wait hold nobody up.
   */
  due(from: { readonly tx: ReadTx; readonly catalog: Catalog }, args: JsonObject): Promise<Date | undefined>;
  /** Set where asking does something even if the answer is idle: what is asked from the second time on. */
  again?(args: JsonObject): JsonObject;
}

/** A file in the data of an answer. */
export interface FileData {
  readonly name: string;
  readonly mediaType: string;
  readonly encoding: 'utf8' | 'base64';
  readonly content: string;
  /** Of its bytes. */
  readonly sha256: string;
}

// Args differ per command; a list of commands holds them with their argument type hidden behind `parse`.
export interface Command<S extends z.ZodObject = z.ZodObject> {
  /** `noun.verb`, or one word: `help`. Typed as `noun verb`. */
  readonly name: string;
  readonly summary: string;
  /** Flat object schema; each field has `.describe()`. */
  readonly args: S;
  /** Names of the arguments that may be given without a flag, in order. The last may be a list. */
  readonly positional?: readonly (keyof z.infer<S> & string)[];
  /** Arguments of any length: the journal keeps their size and SHA-256 in their place. */
  readonly bulky?: readonly (keyof z.infer<S> & string)[];
  /** Other words for the same command. */
  readonly aliases?: readonly string[];
  /** `none`: whoever is linked may (help, whoami, yes, no). */
  readonly needs: Permission | 'none';
  /** Further permissions that these arguments take, such as a runbook's own. */
  alsoNeeds?(args: z.output<S>, catalog: Catalog): readonly Permission[];
  readonly risk: Risk;
  /** It changes something, and yet is no entry of its own in the journal: a heartbeat, a look for work. */
  readonly unrecorded?: true;
  /**
   * Sent again and again to keep something alive: counted by itself (`limits.heartbeats`), so that nothing else that its
   * sender does can cost it what it keeps.
   */
  readonly beats?: true;
  /** The risk of these very arguments, where it is not the command's: a runbook's own. Shown to those who approve. */
  riskOf?(args: z.output<S>, catalog: Catalog): Risk;
  readonly examples: readonly [Example, ...Example[]];
  /** Set where a message that somebody wrote can become this command. */
  readonly fromMessage?: FromMessage;
  readonly route?: Route;
  /** What the configuration adds to the help text: the runbooks that this caller may run. */
  more?(catalog: Catalog, who: Principal): readonly string[];
  /**
   * Fills in what arguments only refer to (a preset, an earlier job), before anything is decided: what is authorized,
   * approved, journalled and run is what comes out. Asked only of who holds `needs`, and not again after an approval.
   */
  expand?(from: Expanding, args: z.output<S>): Promise<Expanded>;
  /**
   * For what is to run later: whether it could, as things are now.
   * @throws Refusal where what the arguments name is not there, or does not take them.
   */
  possible?(args: z.output<S>, catalog: Catalog): void;
  /** The reply where the same was asked for before under the sender's own key; then nothing else is done. */
  repeated?(ctx: Ctx, args: z.output<S>): Promise<Reply | undefined>;
  /** Decides and writes through `ctx.tx`; awaits nothing else. */
  run(ctx: Ctx, args: z.output<S>): Promise<Reply>;
  /**
   * Called instead of `run` while an approval is needed: writes what waits (a job in `waiting`) and names it. After the
   * approval `run` is called with `ctx.approved`; after a denial, a time-out or a cancel, `drop` is.
   */
  hold?(ctx: Ctx, args: z.output<S>, approval: string): Promise<{ target: string }>;
  drop?(ctx: Ctx, args: z.output<S>, approval: ApprovedBy, reason: string): Promise<void>;
  /**
   * The approval that these arguments need by the command's own definition (a runbook's policy, a budget's), if any.
   * Like `run` it decides and writes through `ctx.tx`, and awaits nothing else.
   */
  policy?(ctx: Ctx, args: z.output<S>): Promise<ApprovalPolicy | undefined>;
}

/** How a message becomes a command: what its form begins with. */
export interface FromMessage {
  /** What channels call it by: letters, digits and `_`. It stands in their own settings, so it never changes. */
  readonly id: string;
  /** What people choose it by, in 24 characters. */
  readonly title: string;
  /** `text` is plain, and may be empty; `link` leads back to the message. Texts of at most 3,000 characters. */
  args(message: { readonly text: string; readonly link: string }): JsonObject;
}

/** What arguments may be filled in from. */
export interface Expanding {
  readonly tx: ReadTx;
  readonly who: Principal;
  readonly catalog: Catalog;
  /** As they were given, without defaults. */
  readonly given: JsonObject;
  /** Which place a name in the message means: `#ops` → `slack:C1`. */
  readonly places: ReadonlyMap<string, string>;
}

/** What they were filled in with. */
export interface Expanded {
  readonly args: JsonObject;
  /** Who chose that besides the sender, as whoever saved a preset did: they asked for it, too, so they may not approve it. */
  readonly authors?: readonly string[];
}

export interface ApprovedBy {
  readonly ref: string;
  readonly target: string;
}

/** A command that was read, and not run. */
export interface Checked {
  readonly invocation: Invocation;
  /** The permission that is lacked for it. */
  readonly missing: Permission | undefined;
  /** Why it could not run whoever asked, where that can be told beforehand. */
  readonly impossible: Refusal | undefined;
}

export interface Ctx {
  readonly who: Principal;
  readonly channel: Via;
  readonly conversation: string;
  /** Where this conversation can be told of later news; undefined where only an open call can be answered. */
  readonly replyTo: Address | undefined;
  readonly workspace: string;
  readonly now: Date;
  readonly tx: Tx;
  readonly correlationId: string;
  /** The id of the journal entry or message that led here. */
  readonly cause: string | null;
  /** What the message says led to it, outermost first. */
  readonly causes: readonly string[];
  /** The key by which a repeat of the message is known. */
  readonly inboundKey: string | undefined;
  /** The id of the API key that the sender is proven by, if it is one. */
  readonly apiKey: string | undefined;
  readonly ifMatch: string | undefined;
  readonly proof: string | undefined;
  /** Which place a name in the message means: `#ops` → `slack:C1`. */
  readonly places: ReadonlyMap<string, string>;
  /** Everybody who caused this, `who` first: none of them may approve it. */
  chain(): Promise<readonly string[]>;
  /** How strongly the sender is proven on this message. */
  readonly assurance: Assurance;
  /** Set when an approval released this very invocation. */
  readonly approved: ApprovedBy | undefined;
  readonly catalog: Catalog;
  /** What is on, for `status`. */
  readonly health: () => JsonObject;
  readonly commands: CommandSet;
  /** Appends a journal entry with this message's actor, correlation id and cause. */
  readonly emit: (event: string, target: string, details: JsonObject) => Promise<JournalEntry>;
  /** Runs another command in the same transaction, authorized and journalled as its own, optionally as `who`. */
  invoke(
    invocation: Invocation,
    as?: { who: Principal; approved: ApprovedBy; correlationId: string },
  ): Promise<Answer>;
  /** Reads a command without running it, and tells whether it could. @throws Refusal as reading does. */
  check(body: Body): Promise<Checked>;
  /** The pattern form of an invocation, as it is typed. */
  format(invocation: Invocation): string;
  /** Resolves a principal by name with its roles' permissions; undefined when unknown or disabled. */
  principal(name: string, scopes?: readonly string[]): Promise<Principal | undefined>;
}

export interface CommandSet {
  readonly all: readonly Command[];
  find(name: string): Command | undefined;
}

/** Keeps a command's argument type through its definition. */
export function command<S extends z.ZodObject>(definition: Command<S>): Command {
  return definition;
}
