import { MOST_ARTIFACTS } from '../../domain/artifact.ts';
import type { Product, Progress, Usage } from '../../domain/job.ts';
import { Refusal } from '../../domain/errors.ts';
import { isObject, type Json, type JsonObject } from '../../domain/json.ts';
import { addUsage, readUsage } from '../../domain/usage.ts';
import { cleanJson, cleanText } from './clean.ts';
import type { Execution } from './execution.ts';
import { Lines } from './lines.ts';
import { productOf } from './product.ts';
import type { Templates } from './template.ts';

/** Bytes of one message, and of all that a program may send. */
const LARGEST = 2 * 1_048_576;
const MOST_BYTES = 32 * 1_048_576;
/** Characters of a result, as JSON. */
const MOST_RESULT = 65_536;
const WORDS = 200;

/**
 * What a program says on file descriptor 3, one JSON object a line: `{"progress": {"percent": 40, "text": "…"}}`,
 * `{"usage": {"tokens": 1200, "cost": 0.012}}` (added up), `{"artifact": {"name": "…", "path": "…"}}` and
 * `{"result": {…}}` (the last one counts). A line that is none of these is logged and passed over.
 */
export class Control {
  readonly #execution: Execution;
  readonly #templates: Templates;
  readonly #exceeded: (reason: string) => void;
  readonly #lines = new Lines((line) => this.#read(line), LARGEST);
  readonly #announced: JsonObject[] = [];
  #bytes = 0;
  #open = true;
  #usage: Usage | null = null;
  #result: JsonObject = {};

  /** `exceeded` is called once, with what there was too much of; nothing is read after it. */
  constructor(execution: Execution, templates: Templates, exceeded: (reason: string) => void) {
    this.#execution = execution;
    this.#templates = templates;
    this.#exceeded = exceeded;
  }

  write(chunk: Buffer): void {
    if (!this.#open) return;
    this.#bytes += chunk.length;
    if (this.#bytes > MOST_BYTES) this.#close(`more than ${MOST_BYTES} bytes on file descriptor 3`);
    else this.#lines.write(chunk);
  }

  end(): void {
    if (this.#open) this.#lines.end();
  }

  get result(): JsonObject {
    return this.#result;
  }

  get usage(): Usage | undefined {
    return this.#usage ?? undefined;
  }

  /** Reads the files among the artifacts, in the program's directory. @throws Refusal for one that cannot be taken. */
  products(directory: string): Promise<Product[]> {
    return Promise.all(this.#announced.map((each) => productOf(each, directory, this.#templates)));
  }

  #read(line: string): void {
    if (!this.#open || line.trim() === '') return;
    try {
      const message = parsed(line);
      const [[kind, value] = ['', null], ...more] = Object.entries(message);
      if (more.length > 0) throw new Refusal('malformed', 'expected one of them in a line');
      this.#take(kind, value);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const said = cleanText(error.message, this.#templates).slice(0, WORDS);
      this.#execution.log('err', `a message on file descriptor 3 was passed over: ${said}`);
    }
  }

  #take(kind: string, value: Json): void {
    if (!isObject(value) || !['progress', 'usage', 'artifact', 'result'].includes(kind))
      throw new Refusal('malformed', 'expected an object under progress, usage, artifact or result');
    if (kind === 'progress') this.#execution.progress(progressOf(value, this.#templates));
    if (kind === 'usage') this.#usage = addUsage(this.#usage, readUsage(value));
    if (kind === 'result') this.#keep(value);
    if (kind === 'artifact') this.#add(value);
  }

  #keep(result: JsonObject): void {
    if (JSON.stringify(result).length > MOST_RESULT)
      return this.#close(`a result of more than ${MOST_RESULT} characters on file descriptor 3`);
    this.#result = cleanJson(result, this.#templates);
  }

  #add(artifact: JsonObject): void {
    if (this.#announced.length >= MOST_ARTIFACTS)
      return this.#close(`more than ${MOST_ARTIFACTS} artifacts on file descriptor 3`);
    this.#announced.push(artifact);
  }

  #close(reason: string): void {
    this.#open = false;
    this.#exceeded(reason);
  }
}

function parsed(line: string): JsonObject {
  try {
    const value: unknown = JSON.parse(line);
    if (isObject(value)) return value;
  } catch {
    // The same answer as to JSON that is no object.
  }
  throw new Refusal('malformed', 'expected a JSON object of at most 2 MiB in each line');
}

function progressOf({ percent, text }: JsonObject, templates: Templates): Progress {
  if (percent !== undefined && !(typeof percent === 'number' && percent >= 0 && percent <= 100))
    throw new Refusal('malformed', 'progress: expected a percent from 0 to 100');
  if (text !== undefined && typeof text !== 'string')
    throw new Refusal('malformed', 'progress: expected text as a string');
  return {
    ...(percent !== undefined && { percent }),
    ...(text !== undefined && { text: cleanText(text, templates).slice(0, WORDS).toWellFormed() }),
  };
}
