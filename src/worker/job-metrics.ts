import { Counter, Gauge, Summary, type Registry } from 'prom-client';
import { sampled } from '../core/sampled.ts';
import type { Commit, ReadTx, Store } from '../core/store.ts';
import type { Catalog } from '../domain/catalog.ts';
import { SECOND } from '../domain/clock.ts';
import type { FailureClass } from '../domain/failure.ts';
import { jobs, type Stage } from '../domain/job.ts';
import type { JournalEntry } from '../domain/journal.ts';
import { DEFAULT_CAPABILITY } from '../domain/runbook.ts';

export interface JobMetricsOptions {
  readonly registry: Registry;
  readonly store: Store;
  readonly catalog: Catalog;
}

type Phase = 'waiting' | 'queued' | 'assigned' | 'running';

/** What the entry of a transition tells of the state that was left: its milliseconds stand under these names. */
const PHASES: readonly (readonly [Phase, string])[] = [
  ['waiting', 'waited'],
  ['queued', 'queued'],
  ['assigned', 'assigned'],
  ['running', 'ran'],
];

interface Sample {
  /** By capability: how many wait for a worker, and for how many milliseconds the oldest has been due. */
  readonly queued: ReadonlyMap<string, { readonly count: number; readonly oldest: number }>;
  readonly states: ReadonlyMap<string, number>;
}

/**
 * Measures the jobs of the workspace, whoever runs them, as long as the store is open: counted from the journal, so
 * every server shows the same and they are not to be added up.
 */
export function measureJobs(options: JobMetricsOptions): void {
  const metrics = new JobMetrics(options);
  options.store.onCommit((commit) => metrics.heard(commit));
}

class JobMetrics {
  readonly #options: JobMetricsOptions;
  readonly #phases: Summary<'phase'>;
  readonly #retries: Counter<'failure'>;
  readonly #dead: Counter<'stage'>;
  readonly #sampled: () => Promise<Sample | undefined>;

  constructor(options: JobMetricsOptions) {
    this.#options = options;
    const { store, catalog } = options;
    this.#sampled = sampled(() => store.read(catalog.workspace, (tx) => take(tx, catalog)));
    const registers = [options.registry];
    this.#phases = new Summary({
      name: 'signalbox_job_phase_seconds',
      help: 'How long jobs stayed in a state, over the last ten minutes.',
      labelNames: ['phase'],
      percentiles: [0.5, 0.95],
      maxAgeSeconds: 600,
      ageBuckets: 5,
      registers,
    });
    this.#retries = new Counter({
      name: 'signalbox_job_retries_total',
      help: 'Tries that did not work and are made again, by class of failure.',
      labelNames: ['failure'],
      registers,
    });
    this.#dead = new Counter({
      name: 'signalbox_job_dead_total',
      help: 'Dead letters, by the stage in which the job came to its end.',
      labelNames: ['stage'],
      registers,
    });
    this.#gauges(registers);
  }

  #gauges(registers: Registry[]): void {
    const gauge = (name: string, help: string, label: string, show: (of: Gauge, sample: Sample) => void) => {
      const made: Gauge = new Gauge({
        name,
        help,
        labelNames: [label],
        registers,
        collect: async () => {
          const sample = await this.#sampled();
          if (sample) show(made, sample);
        },
      });
    };
    gauge(
      'signalbox_jobs_queued',
      'Jobs that wait for a worker, by capability.',
      'capability',
      (of, { queued }) => {
        for (const [capability, { count }] of queued) of.set({ capability }, count);
      },
    );
    const oldest = 'How long the job that has been due for longest has waited for a worker, by capability.';
    gauge('signalbox_job_oldest_seconds', oldest, 'capability', (of, { queued }) => {
      for (const [capability, { oldest: age }] of queued) of.set({ capability }, age / SECOND);
    });
    gauge('signalbox_jobs', 'Jobs that are not over and not queued, by state.', 'state', (of, { states }) => {
      for (const [state, count] of states) of.set({ state }, count);
    });
  }

  heard({ workspace, entries }: Commit): void {
    if (workspace !== this.#options.catalog.workspace) return;
    for (const entry of entries) if (entry.event.startsWith('job.')) this.#count(entry);
  }

  #count({ event, details }: JournalEntry): void {
    for (const [phase, name] of PHASES) {
      const spent = details[name];
      if (typeof spent === 'number') this.#phases.observe({ phase }, spent / SECOND);
    }
    const { failure, stage } = details as { failure?: FailureClass | null; stage?: Stage };
    if (event === 'job.retrying' && details['again'] === true)
      this.#retries.inc({ failure: failure ?? 'other' });
    if (event === 'job.dead' && stage) this.#dead.inc({ stage });
  }
}

async function take(tx: ReadTx, { runbooks }: Catalog): Promise<Sample> {
  const capabilities = new Set([DEFAULT_CAPABILITY, ...[...runbooks.values()].map((r) => r.capability)]);
  const [queued, states] = await Promise.all([
    Promise.all([...capabilities].map(async (each) => [each, await queueOf(tx, each)] as const)),
    Promise.all(
      (['waiting', 'assigned', 'running'] as const).map(
        async (state) => [state, await tx.count(jobs, { state })] as const,
      ),
    ),
  ]);
  return { queued: new Map(queued), states: new Map(states) };
}

async function queueOf(tx: ReadTx, capability: string): Promise<{ count: number; oldest: number }> {
  const where = { state: 'queued', capability } as const;
  const [count, [first]] = await Promise.all([
    tx.count(jobs, where),
    tx.find(jobs, {
      where: { ...where, runAt: { atMost: tx.now } },
      orderBy: [{ column: 'runAt' }],
      limit: 1,
    }),
  ]);
  return { count, oldest: first ? tx.now.getTime() - first.runAt.getTime() : 0 };
}
