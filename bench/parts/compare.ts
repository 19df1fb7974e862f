import type { BareQuestion } from '../bare.ts';
import { Child } from '../child.ts';
import type { LoadJob } from '../load.ts';
import type { Measured } from '../load/measure.ts';
import type { Options } from '../options.ts';
import { Server } from '../server.ts';
import { median } from '../stats.ts';

/** What is measured: medians of the rounds; `cpu` in microseconds of the server per piece of work. */
export interface Sample extends Measured {
  readonly cpu: number;
}

export interface Comparison {
  readonly bare: Sample;
  readonly ours: Sample;
  /** Medians of the ratios of neighbouring measurements; above 1: better than bare. */
  readonly throughput: number;
  readonly cpu: number;
}

/** Everything that is started once and measured in turns. */
export class Bench {
  readonly options: Options;
  readonly server: Server;
  readonly barePort: number;
  readonly #bare: Child<BareQuestion, number>;
  readonly #load: Child<LoadJob, Measured>;
  #first = 0;

  private constructor(options: Options, server: Server, bare: Child<BareQuestion, number>, barePort: number) {
    this.options = options;
    this.server = server;
    this.#bare = bare;
    this.barePort = barePort;
    this.#load = new Child(new URL('../load.ts', import.meta.url));
  }

  static async start(options: Options): Promise<Bench> {
    const bare = new Child<BareQuestion, number>(new URL('../bare.ts', import.meta.url));
    return new Bench(options, await Server.start({ profile: options.profile }), bare, await bare.ask('port'));
  }

  /** Bare, ours, bare, ours: so that what else the machine does meets both. */
  async compare(
    bareJob: (first: number) => LoadJob,
    ourJob: (first: number) => LoadJob,
  ): Promise<Comparison> {
    const pairs: { bare: Sample; ours: Sample }[] = [];
    for (let round = 0; round < this.options.rounds; round += 1) {
      const bare = await this.#sample(bareJob, () => this.#bare.ask('cpu'));
      const ours = await this.#sample(ourJob, async () => (await this.server.usage()).cpu);
      pairs.push({ bare, ours });
    }
    return {
      bare: middle(pairs.map((pair) => pair.bare)),
      ours: middle(pairs.map((pair) => pair.ours)),
      throughput: median(pairs.map(({ bare, ours }) => ours.perSecond / bare.perSecond)),
      cpu: median(pairs.map(({ bare, ours }) => bare.cpu / ours.cpu)),
    };
  }

  async stop(): Promise<void> {
    this.#load.stop();
    this.#bare.stop();
    await this.server.stop();
  }

  async #sample(job: (first: number) => LoadJob, cpu: () => Promise<number>): Promise<Sample> {
    this.#first += 10_000_000;
    const before = await cpu();
    const { work, ...measured } = await this.#load.ask(job(this.#first));
    return { ...measured, work, cpu: (((await cpu()) - before) / work) * 1e6 };
  }
}

function middle(samples: readonly Sample[]): Sample {
  const of = (key: keyof Sample) => median(samples.map((sample) => sample[key]));
  return { perSecond: of('perSecond'), p50: of('p50'), p99: of('p99'), work: of('work'), cpu: of('cpu') };
}
