import { MOST_ARTIFACTS } from '../../domain/artifact.ts';
import { overBound } from '../../domain/bounds.ts';
import { clip } from '../../domain/clip.ts';
import { Refusal } from '../../domain/errors.ts';
import { MOST_RESULT, type Outcome, type Product, type Progress, type Usage } from '../../domain/job.ts';
import { isObject, jsonOf, type Json, type JsonObject } from '../../domain/json.ts';
import { addUsage, readUsage } from '../../domain/usage.ts';
import { cleanJson, cleanText } from './clean.ts';
import type { Execution } from './execution.ts';
import { Lines } from './lines.ts';
import { productOf } from './product.ts';
import type { Templates } from './template.ts';

/** Bytes of one message, and of all that a program may send. */
const LARGEST = 2 * 1_048_576;
const MOST_BYTES = 32 * 1_048_576;
/** What a result says of the end, whatever the program says of it. */
const OURS = ['exitCode', 'signal', 'logLines'] as const;
const WORDS = 200;

/**
 * What a program says on file descriptor 3, one JSON object a line: `{"progress": {"percent": 40, "text": "…"}}`,
 * `{"usage": {"tokens": 1200, "cost": 0.012}}` (added up), `{"artifact": {"name": "…", "path": "…"}}` and
 * `{"result": {…}}` (the last one counts). A line that is none of these is logged and passed over.
 */
export class Control {
  readonly #execution: Execution;
  readonly #templates: Templates;
  readonly #exceeded: (end: Outcome) => void;
  readonly #lines = new Lines((line) => this.#read(line), LARGEST);
  readonly #announced: JsonObject[] = [];
  #bytes = 0;
  #passedOver = 0;
  #open = true;
  #usage: Usage | null = null;
  #result: JsonObject = {};

  /** `exceeded` is called once, with how that ends the try; nothing is read after it. */
  constructor(execution: Execution, templates: Templates, exceeded: (end: Outcome) => void) {
    this.#execution = execution;
    this.#templates = templates;
    this.#exceeded = exceeded;
  }

  write(chunk: Buffer): void {
    if (!this.#open) return;
    this.#bytes += chunk.length;
    if (this.#bytes > MOST_BYTES) this.#tooMuch(`more than ${MOST_BYTES} bytes`);
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
      this.#passOver(`a message on file descriptor 3 was passed over: ${error.message}`);
    }
  }

  /** Tells it in the log, where it counts as a line of output. */
  #passOver(what: string): void {
    this.#passedOver += 1;
    const { runbook } = this.#execution;
    if (this.#passedOver > runbook.bounds.logLines) this.#close(overBound('bounds.logLines', runbook));
    else this.#execution.log('err', clip(cleanText(what, this.#templates), WORDS));
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
      return this.#tooMuch(`a result of more than ${MOST_RESULT} characters`);
    const taken = OURS.filter((name) => Object.hasOwn(result, name));
    if (taken.length > 0)
      this.#passOver(`of the result on file descriptor 3, ${taken.join(', ')} was passed over`);
    this.#result = cleanJson(result, this.#templates);
  }

  #add(artifact: JsonObject): void {
    if (this.#announced.length >= MOST_ARTIFACTS)
      return this.#tooMuch(`more than ${MOST_ARTIFACTS} artifacts`);
    this.#announced.push(artifact);
  }

  #tooMuch(what: string): void {
    this.#close({ kind: 'fail', failure: 'refused', reason: `${what} on file descriptor 3` });
  }

  #close(end: Outcome): void {
    this.#open = false;
    this.#exceeded(end);
  }
}

function parsed(line: string): JsonObject {
  const value = jsonOf(line);
  if (isObject(value)) return value;
  throw new Refusal('malformed', 'expected a JSON object of at most 2 MiB and 64 levels in each line');
}

function progressOf({ percent, text }: JsonObject, templates: Templates): Progress {
  if (percent !== undefined && !(typeof percent === 'number' && percent >= 0 && percent <= 100))
    throw new Refusal('malformed', 'progress: expected a percent from 0 to 100');
  if (text !== undefined && typeof text !== 'string')
    throw new Refusal('malformed', 'progress: expected text as a string');
  return {
    ...(percent !== undefined && { percent }),
    ...(text !== undefined && { text: clip(cleanText(text, templates), WORDS) }),
  };
}
