import type { ApprovalPolicy } from './approval.ts';
import type { JsonObject } from './json.ts';
import type { Permission } from './permission.ts';

/** What the URL of a probe or of an `http` runbook may begin with: the address that this very server listens on. */
export const SELF = '${self}';

/**
 * A typed contract from the configuration: what may run, with which arguments, bounds and approval.
 * Templates `${args.name}` are filled from the arguments, `${env:NAME}` from the environment at run time, and a URL may
 * begin with `${self}`.
 */
export interface Runbook {
  readonly name: string;
  readonly summary: string;
  /** JSON Schema of the arguments, an object schema without additional properties unless it says so. */
  readonly args: JsonObject;
  readonly risk: 'read' | 'write' | 'destructive' | 'financial';
  readonly permission: Permission;
  /** Milliseconds of one try. */
  readonly timeout: number;
  readonly tries: { readonly max: number; readonly backoff: number; readonly cap: number };
  readonly approval: ApprovalPolicy | undefined;
  readonly bounds: { readonly logLines: number; readonly outputBytes: number };
  readonly executor: HttpExecutor | ShellExecutor | ProbeExecutor;
}

export interface HttpExecutor {
  readonly kind: 'http';
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly expectStatus: readonly number[];
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
