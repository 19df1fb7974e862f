import type { LogLine } from '../../src/core/feed.ts';
import { published, type JournalEntry } from '../../src/domain/journal.ts';

/** What the stream carries, made into bytes once, when first wanted, for all sockets. */
abstract class Item {
  #frame: Buffer | undefined;

  get frame(): Buffer {
    this.#frame ??= Buffer.from(JSON.stringify(this.content()));
    return this.#frame;
  }

  protected abstract content(): unknown;
}

export class EntryItem extends Item {
  readonly at: number;
  readonly event: string;
  readonly #entry: JournalEntry;

  constructor(entry: JournalEntry) {
    super();
    this.at = entry.seq;
    this.event = entry.event;
    this.#entry = entry;
  }

  protected override content(): unknown {
    return published(this.#entry);
  }
}

export class LogItem extends Item {
  readonly at: number;
  readonly job: string;
  readonly #line: LogLine;

  constructor(line: LogLine) {
    super();
    this.at = line.cursor;
    this.job = line.job;
    this.#line = line;
  }

  protected override content(): unknown {
    const { job, cursor, line, stream } = this.#line;
    return { type: 'log', job, cursor, line, stream };
  }
}
