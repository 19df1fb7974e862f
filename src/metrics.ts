import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Health } from './core/adapter.ts';
import type { Answer, ChannelName, Inbound } from './core/message.ts';

type Channels = () => readonly { readonly name: ChannelName; readonly health: Health }[];

/** Everything `/metrics` shows, in one place, so that names and labels are seen together. */
export class Metrics {
  readonly registry = new Registry();
  readonly #commands: Histogram<'channel' | 'status'>;
  readonly #limited: Counter<'channel' | 'scope'>;
  readonly #unproven: Counter<'channel' | 'source'>;
  readonly #dropped: Counter<'reason'>;
  readonly #outgoing: Counter<'channel' | 'result'>;
  readonly #jobs: Counter<'outcome'>;
  readonly #conflicts: Counter;
  readonly #renewals: Counter;

  constructor(channels: Channels) {
    const registers = [this.registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> =>
      new Counter({ name, help, labelNames, registers });
    collectDefaultMetrics({ register: this.registry });
    this.#commands = new Histogram({
      name: 'signalbox_command_seconds',
      help: 'From admission of a message to its durable answer.',
      labelNames: ['channel', 'status'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2],
      registers,
    });
    this.#limited = counter(
      'signalbox_rate_limited_total',
      'Messages refused by a rate limit, by channel and by whose limit it was.',
      ['channel', 'scope'],
    );
    this.#unproven = counter(
      'signalbox_unproven_total',
      'Messages whose sender proved nothing: forged, stale or wrongly signed, unknown keys and tokens.',
      ['channel', 'source'],
    );
    this.#dropped = counter('signalbox_mail_dropped_total', 'Mails that were not run, by reason.', [
      'reason',
    ]);
    this.#outgoing = counter('signalbox_outgoing_total', 'Tries to deliver an outgoing message, by result.', [
      'channel',
      'result',
    ]);
    this.#jobs = counter('signalbox_job_tries_total', 'Tries of jobs, by how they ended.', ['outcome']);
    this.#conflicts = counter(
      'signalbox_job_claim_conflicts_total',
      'Looks of this process for a job that was due and that somebody else was quicker to claim.',
    );
    this.#renewals = counter('signalbox_job_lease_renewals_total', 'Claims that this process renewed.');
    showChannels(this.registry, channels);
  }

  readonly answered = ({ channel }: Inbound, { status, error }: Answer, seconds: number): void =>
    this.#commands.observe({ channel, status: error?.code ?? status }, seconds);
  readonly limited = (channel: ChannelName, scope: string): void => this.#limited.inc({ channel, scope });
  readonly unproven = (channel: string, source: string): void => this.#unproven.inc({ channel, source });
  readonly dropped = (reason: string): void => this.#dropped.inc({ reason });
  readonly delivered = (channel: string, result: string): void => this.#outgoing.inc({ channel, result });
  readonly claims = (what: 'conflict' | 'renewal', count: number): void =>
    (what === 'conflict' ? this.#conflicts : this.#renewals).inc(count);
  /** One line for each destination that is held off, while it is. */
  readonly breakers = (open: () => Promise<readonly { readonly id: string }[]>): void => {
    const held = new Gauge({
      name: 'signalbox_breaker_open',
      help: '1: the circuit breaker of this destination is open or half open. Closed ones are absent.',
      labelNames: ['destination'],
      registers: [this.registry],
      async collect() {
        this.reset();
        for (const { id } of await open()) held.set({ destination: id }, 1);
      },
    });
  };
  readonly jobEnded = (outcome: string): void => this.#jobs.inc({ outcome });
}

/** How the channels of this process are; those that are off are absent. */
function showChannels(registry: Registry, channels: Channels): void {
  const on = () => channels().filter(({ health }) => health.state !== 'off');
  const up = new Gauge({
    name: 'signalbox_channel_up',
    help: '1: on, here or in another process; 0: deaf. Channels that are off are absent.',
    labelNames: ['channel'],
    registers: [registry],
    collect() {
      up.reset();
      for (const { name, health } of on()) up.set({ channel: name }, health.state === 'deaf' ? 0 : 1);
    },
  });
  const states = new Gauge({
    name: 'signalbox_channel_state',
    help: '1 for the state that the channel is in (on, standby, deaf), 0 for the others. Those that are off are absent.',
    labelNames: ['channel', 'state'],
    registers: [registry],
    collect() {
      states.reset();
      for (const { name, health } of on())
        for (const state of ['on', 'standby', 'deaf'] as const)
          states.set({ channel: name, state }, health.state === state ? 1 : 0);
    },
  });
}
