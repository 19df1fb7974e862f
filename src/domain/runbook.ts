import type { ApprovalPolicy } from './approval.ts';
import type { FailureClass } from './failure.ts';
import type { JsonObject } from './json.ts';
import type { Permission } from './permission.ts';

/** What the URL of a probe or of an `http` runbook may begin with: the address that this very server listens on. */
export const SELF = '${self}';
/** The harmless first. */
export const RISKS = ['read', 'write', 'destructive', 'financial'] as const;
/** The capability that every worker offers unless told otherwise. */
export const DEFAULT_CAPABILITY = 'default';

/**
 * A typed contract from the configuration: what may run, with which arguments, bounds and approval.
 * Templates `${args.name}` are filled from the arguments, `${env:NAME}` from the environment and `${file:/path}` from
 * a file at run time, and a URL may begin with `${self}`.
 */
export interface Runbook {
  readonly name: string;
  readonly summary: string;
  /** JSON Schema of the arguments, an object schema without additional properties unless it says so. */
  readonly args: JsonObject;
  readonly risk: (typeof RISKS)[number];
  readonly permission: Permission;
  /** Milliseconds of one try. */
  readonly timeout: number;
  readonly tries: Tries;
  readonly approval: ApprovalPolicy | undefined;
  readonly bounds: Bounds;
  /** From 0 to 9, the higher the sooner. */
  readonly priority: number;
  readonly capability: string;
  readonly executor: HttpExecutor | ShellExecutor | ProbeExecutor | StepsExecutor | RemoteExecutor;
}

export interface Tries {
  readonly max: number;
  /** Milliseconds: the first wait, doubled each time up to the cap, with full jitter. */
  readonly backoff: number;
  readonly cap: number;
  /** Classes of failure for which the usual answer is not right. */
  readonly on: Readonly<Partial<Record<FailureClass, 'retry' | 'fail'>>>;
  /** Milliseconds from the first start within which a further try may begin; undefined: no such bound. */
  readonly budget: number | undefined;
}

/** Bounds of one run; the stop names the one that was met. */
export interface Bounds {
  readonly logLines: number;
  readonly outputBytes: number;
  /** Tries of steps, waits included and what undoes them not; for `steps` only. */
  readonly steps: number;
  /** Runs of this runbook at the same time, over all workers; undefined: as many as there are workers. */
  readonly concurrency: number | undefined;
  /** Runs that may wait in the queue; above, a further one is refused. */
  readonly queued: number | undefined;
}

export interface HttpExecutor {
  readonly kind: 'http';
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly expectStatus: readonly number[];
  /** Result field → CEL expression over `status`, `headers` and `body`; undefined: status and the body's beginning. */
  readonly result: Readonly<Record<string, string>> | undefined;
  /** Unit → CEL expression over the same; `cost` in the currency. */
  readonly usage?: Readonly<Record<string, string>> | undefined;
}

export interface ShellExecutor {
  readonly kind: 'shell';
  /** Never a shell string: each element is one argument after its templates are filled. */
  readonly argv: readonly string[];
  /** The whole environment of the child, besides PATH. */
  readonly env: Readonly<Record<string, string>>;
}

export interface ProbeExecutor {
  readonly kind: 'probe';
  readonly probe: string;
}

/** Run by a program elsewhere that claims it over REST and offers the runbook's capability. */
export interface RemoteExecutor {
  readonly kind: 'remote';
}

/** Ordered steps; what was done is undone backwards when one fails or the job is cancelled. */
export interface StepsExecutor {
  readonly kind: 'steps';
  readonly steps: readonly Step[];
}

/** A call of another runbook, its arguments filled from `${args.name}` and `${steps.name.field}`. */
export interface StepCall {
  /** The runbook itself, so that whatever binds to the outer one binds to this one too. */
  readonly runbook: Runbook;
  readonly args: JsonObject;
}

export type Step =
  | (StepCall & { readonly name: string; readonly compensate: StepCall | undefined })
  | { readonly name: string; readonly wait: StepWait };

/** Each with the milliseconds after which the step has failed; `time` has none: its end is what is waited for. */
export type StepWait =
  | { readonly kind: 'approval'; readonly approval: ApprovalPolicy }
  | {
      readonly kind: 'event';
      readonly event: string;
      /** CEL over `event` (the published envelope), `args` and `steps`. */
      readonly when: string | undefined;
      readonly timeout: number;
    }
  | { readonly kind: 'time'; readonly duration: number };
