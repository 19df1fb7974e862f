import type { JournalEntry } from '../../../src/domain/journal.ts';

export interface Response {
  readonly status: number;
  // What a test reads of a document is checked by the test.
  readonly body: Document;
}

/** The parts of answers, problems and views that the story goes on with. */
export interface Document {
  readonly code?: string;
  readonly correlationId?: string;
  readonly reply?: { readonly text: string; readonly data: Readonly<Record<string, unknown>> };
  readonly items?: readonly Readonly<Record<string, unknown>>[];
  readonly results?: readonly Document[];
}

/** Somebody at the REST interface, with a key of theirs. */
export class Rest {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  get(path: string): Promise<Response> {
    return this.#call(path);
  }

  post(path: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.#call(path, JSON.stringify(body), { 'content-type': 'application/json', ...headers });
  }

  command(text: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.post('/v1/commands', { text }, headers);
  }

  /** The whole journal with its chain, as `audit export` gives it; text as well, for a file. */
  async journal(): Promise<{ entries: JournalEntry[]; jsonl: string }> {
    const { body } = await this.command('audit export --limit 1000');
    const jsonl = String(body.reply?.data['jsonl']);
    const entries = jsonl.split('\n').filter(Boolean);
    return { jsonl, entries: entries.map((line) => JSON.parse(line) as JournalEntry) };
  }

  async #call(path: string, body?: string, more: Readonly<Record<string, string>> = {}): Promise<Response> {
    const headers = { ...more, authorization: `Bearer ${this.#key}` };
    const sent = body === undefined ? { method: 'GET' } : { method: 'POST', body };
    const response = await fetch(this.#url + path, { ...sent, headers });
    return { status: response.status, body: (await response.json()) as Document };
  }
}
