import { overBound } from '../../domain/bounds.ts';
import { clip } from '../../domain/clip.ts';
import type { Outcome } from '../../domain/job.ts';
import { cleanText } from './clean.ts';
import type { Execution } from './execution.ts';
import { Lines, MAX_LINE } from './lines.ts';
import type { Templates } from './template.ts';

/** A program's output on its way to the job's log: cut into lines, cleared of secrets, held to the runbook's bounds. */
export class Output {
  readonly #execution: Execution;
  readonly #templates: Templates;
  readonly #exceeded: (end: Outcome) => void;
  readonly #streams: { readonly out: Lines; readonly err: Lines };
  #bytes = 0;
  #open = true;
  lines = 0;
  /** The last line on standard error, shortened: most programs say there why they failed. */
  lastError = '';

  /** `exceeded` is called once, with how that ends the try; nothing is logged after it. */
  constructor(execution: Execution, templates: Templates, exceeded: (end: Outcome) => void) {
    this.#execution = execution;
    this.#templates = templates;
    this.#exceeded = exceeded;
    // A secret that begins before the cut must be whole to be found.
    const slack = templates.longestSecret;
    this.#streams = {
      out: new Lines((line) => this.#log('out', line), slack),
      err: new Lines((line) => this.#log('err', line), slack),
    };
  }

  write(stream: 'out' | 'err', chunk: Buffer): void {
    if (!this.#open) return;
    this.#bytes += chunk.length;
    const over = this.#bytes - this.#execution.runbook.bounds.outputBytes;
    this.#streams[stream].write(over > 0 ? chunk.subarray(0, Math.max(0, chunk.length - over)) : chunk);
    if (over > 0) this.#close('bounds.outputBytes');
  }

  end(): void {
    this.#streams.out.end();
    this.#streams.err.end();
  }

  #log(stream: 'out' | 'err', line: string): void {
    if (!this.#open) return;
    if (this.lines >= this.#execution.runbook.bounds.logLines) return this.#close('bounds.logLines');
    this.lines += 1;
    const shown = this.#clean(line);
    if (stream === 'err' && shown.trim() !== '') this.lastError = clip(shown, 200);
    this.#execution.log(stream, shown);
  }

  /** As it may be kept, and cut to what a log keeps. */
  #clean(line: string): string {
    const text = cleanText(line, this.#templates);
    if (line.length <= MAX_LINE) return text;
    // The line may have been cut within a secret, whose beginning would then not be found.
    const end = Math.min(MAX_LINE - 1, text.length - this.#templates.longestSecret);
    return `${text.slice(0, end).toWellFormed()}…`;
  }

  #close(bound: Parameters<typeof overBound>[0]): void {
    if (!this.#open) return;
    this.#open = false;
    this.#exceeded(overBound(bound, this.#execution.runbook));
  }
}
