import type { ApprovalPolicy } from './approval.ts';
import type { BreakerRules } from './breaker.ts';
import type { PrincipalKind } from './principal.ts';
import { PROBE, probeRunbook, type Probe } from './probe.ts';
import { SELF, type Runbook } from './runbook.ts';

/** What `signalbox.yaml` defines for one workspace, compiled and checked. */
export interface Catalog {
  readonly workspace: string;
  readonly roles: readonly CatalogRole[];
  readonly principals: readonly CatalogPrincipal[];
  readonly runbooks: ReadonlyMap<string, Runbook>;
  readonly probes: ReadonlyMap<string, Probe>;
  readonly sources: ReadonlyMap<string, Source>;
  /** Destinations runbooks and probes may reach besides public addresses: host names or `host:port`. */
  readonly allowedHosts: readonly string[];
  /** Messages per minute. */
  readonly limits: Limits;
  readonly jobs: JobRules;
  /** Set: runs may reach these destinations and no others, and no live credential may go into them. */
  readonly sandbox: Sandbox | undefined;
  readonly budgets: readonly Budget[];
  /** Whether ends of jobs can be posted: the secret that signs them is set. */
  readonly notify: boolean;
  readonly breakers: BreakerRules;
}

/** What holds for all jobs of the workspace. */
export interface JobRules {
  /** Jobs that run at the same time, over all workers. */
  readonly concurrency: number;
  /** Jobs that may wait in the queue; above, a further one is refused. */
  readonly queued: number;
  /** How long a chain of causes may become: a runbook that starts a runbook … */
  readonly depth: number;
  /** Runs of one runbook in an hour that were caused by other runs or by webhooks, and not by a person. */
  readonly causedPerHour: number;
  /** Hosts, or `host:port`, that ends of jobs may be posted to; any unless told. */
  readonly notify?: readonly string[] | undefined;
  /** Milliseconds for which log lines are kept after their job's end, and sent messages, those a month at least. */
  readonly keepLogs: number;
}

export interface Sandbox {
  /** Host names or `host:port`. */
  readonly allow: readonly string[];
  /** Runbooks of kind `shell` that may run all the same: what a program reaches is out of our hands. */
  readonly shell: readonly string[];
}

/** What may be used in a period; above it a further run is refused, or asks for approval. */
export interface Budget {
  readonly name: string;
  /** Undefined: all runbooks together. */
  readonly runbook: string | undefined;
  readonly per: 'day' | 'month';
  readonly runs: number | undefined;
  /** Millionths of the currency. */
  readonly cost: number | undefined;
  readonly units: Readonly<Record<string, number>>;
  /** Undefined: refused. */
  readonly approval: ApprovalPolicy | undefined;
}

export interface CatalogRole {
  readonly name: string;
  readonly permissions: readonly string[];
}

export interface CatalogPrincipal {
  readonly name: string;
  readonly kind: Exclude<PrincipalKind, 'source'>;
  readonly display: string;
  readonly roles: readonly string[];
  /** `slack:T1/U2`, `email:ana@example.test`, `github:583231`. */
  readonly identities: readonly { readonly channel: string; readonly subject: string }[];
}

export interface Limits {
  readonly perSender: number;
  readonly perChannel: number;
  readonly perWorkspace: number;
  /** Of one sender, with which it keeps the jobs that it runs elsewhere; counted in none of the others. */
  readonly heartbeats: number;
}

export type SourceKind = 'github' | 'gitlab' | 'stripe' | 'standard' | 'hmac';

/** A webhook's sender: `POST /webhooks/{name}`. */
export interface Source {
  readonly name: string;
  readonly kind: SourceKind;
  /** Name of the environment variable that holds the secret; several during rotation. */
  readonly secrets: readonly string[];
  /** For kind `hmac`: header that carries the hex digest, and the one that carries the delivery id. */
  readonly signatureHeader: string | undefined;
  readonly deliveryHeader: string | undefined;
  readonly rules: readonly Rule[];
}

/** When the CEL condition holds for the payload, the command runs with arguments filled by CEL expressions. */
export interface Rule {
  readonly name: string;
  /** CEL over `event` (text), `payload` (JSON) and `headers`. */
  readonly when: string;
  readonly command: string;
  /** Argument name → CEL expression. */
  readonly args: Readonly<Record<string, string>>;
  /** Run as the person linked to this provider user id (a CEL expression) instead of as the source. */
  readonly as: string | undefined;
}

/** The runbook of a job by its name, `probe:<name>` included; undefined when the configuration no longer has it. */
export function runbookOf(
  { runbooks, probes }: Pick<Catalog, 'runbooks' | 'probes'>,
  name: string,
): Runbook | undefined {
  if (!name.startsWith(PROBE)) return runbooks.get(name);
  const probe = probes.get(name.slice(PROBE.length));
  return probe && probeRunbook(probe);
}

/** Whether a probe or a runbook asks this very server, which is out of reach otherwise. */
export function asksSelf({ runbooks, probes }: Pick<Catalog, 'runbooks' | 'probes'>): boolean {
  const urls = [
    ...Array.from(probes.values(), ({ url }) => url),
    ...Array.from(runbooks.values(), ({ executor }) => (executor.kind === 'http' ? executor.url : '')),
  ];
  return urls.some((url) => url.startsWith(SELF));
}
