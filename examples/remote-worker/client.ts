import { stripVTControlCharacters } from 'node:util';

/** What Signalbox hands out: one try of one job. */
export interface Work {
  readonly id: string;
  readonly claim: string;
  readonly runbook: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly attempt: number;
  readonly maxAttempts: number;
  /** The same on every try of the job, for what is done elsewhere in turn. */
  readonly idempotencyKey: string;
  /** To be sent on as the header `Signalbox-Cause`, so that loops are seen. */
  readonly cause: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** Seconds; the claim holds for three times as long from the last heartbeat. */
  readonly heartbeatEvery: number;
  /** Until when it holds, by the server's clock. */
  readonly leaseUntil: string;
}

export interface Report {
  readonly result?: Readonly<Record<string, unknown>>;
  /** Units by name, and `cost` in the currency. */
  readonly usage?: Readonly<Record<string, number | string>>;
  readonly artifacts?: readonly {
    readonly name: string;
    readonly kind?: 'text' | 'json' | 'file';
    readonly mediaType?: string;
    /** Text, JSON text, or base64 of a file. */
    readonly content: string;
  }[];
}

export interface Beat {
  readonly progress?: { readonly percent?: number; readonly text?: string };
  readonly lines?: readonly { readonly stream: 'out' | 'err' | 'info'; readonly line: string }[];
}

/** Why to stop at once (`cancelled`, `timeout`, a bound), or null. */
export interface Standing {
  readonly stop: string | null;
}

/**
 * Signalbox refused a request: `code` is stable, the message says what was expected. `malformed` also where what answered
 * is no Signalbox.
 */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'Refused';
    this.code = code;
  }
}

export const SECOND = 1_000;
const REQUEST_TIMEOUT = 45 * SECOND;
const LONGEST_PAUSE = 30 * SECOND;

/** The four requests of a worker. Each may be sent again: an end that was heard already is answered as it was. */
export class Client {
  readonly #url: string;
  readonly #token: string;

  /** `url`: where Signalbox listens; `token`: a key of an agent that holds `job:work` and the runbooks' permissions. */
  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** Jobs to run, as many as `max`; waits up to `wait` seconds for the first. */
  async claim(
    capabilities: readonly string[],
    { max = 1, wait = 20, signal }: { max?: number; wait?: number; signal?: AbortSignal } = {},
  ): Promise<readonly Work[]> {
    const { items } = await this.#post<{ items: Work[] }>('claim', { capabilities, max, wait }, signal);
    return items;
  }

  /** Keeps the claim. With `wait`, so many seconds at most, the answer comes at once when there is a reason to stop. */
  heartbeat(
    { id, claim }: Work,
    { wait = 0, ...beat }: Beat & { readonly wait?: number } = {},
    signal?: AbortSignal,
  ): Promise<Standing> {
    return this.#post(`${id}/heartbeat`, { claim, ...beat, wait }, signal);
  }

  async complete({ id, claim }: Work, report: Report): Promise<void> {
    await this.#post(`${id}/complete`, { claim, ...report });
  }

  /** `failure`: `refused` (another try would not help), `server`, `network`, `timeout` or `rate_limited`. */
  async fail({ id, claim }: Work, reason: string, failure = 'refused'): Promise<void> {
    await this.#post(`${id}/fail`, { claim, reason: plain(reason, 2_000).trim() || 'no reason', failure });
  }

  /** Tries again while Signalbox is away or asks to wait; @throws Refused for any other refusal. */
  async #post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    for (let pause = SECOND / 4; ; pause = Math.min(LONGEST_PAUSE, pause * 2)) {
      const answer = await this.#try(path, body, signal).catch((error: unknown) => {
        if (error instanceof Refused || signal?.aborted) throw error;
        return { again: 0 };
      });
      if ('body' in answer) return answer.body as T;
      await sleep(answer.again || pause, signal);
    }
  }

  async #try(
    path: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<{ body: unknown } | { again: number }> {
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT);
    const response = await fetch(new URL(`/v1/jobs/${path}`, this.#url), {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const said = jsonOf(await response.text());
    if (response.ok && said) return { body: said };
    if (response.status !== 429 && response.status < 500) {
      const { code = 'malformed', detail = `status ${response.status} without JSON: is this Signalbox?` } =
        said ?? {};
      throw new Refused(code, detail);
    }
    const asked = Number(response.headers.get('retry-after')) * SECOND;
    return { again: Math.min(asked || 0, LONGEST_PAUSE) };
  }
}

function jsonOf(text: string): { code?: string; detail?: string } | undefined {
  try {
    return JSON.parse(text) as { code?: string; detail?: string };
  } catch {
    return undefined;
  }
}

/** Text as Signalbox takes it: without colours and control characters. */
export const plain = (text: string, most: number): string =>
  stripVTControlCharacters(text)
    .replaceAll(/(?![\t\n])\p{Cc}/gu, '')
    .slice(0, most)
    .toWellFormed();

/** Resolves after so many milliseconds, rejects when the signal is aborted before. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason instanceof Error ? signal.reason : new Error('stopped'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
