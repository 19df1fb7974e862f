import type { LogLine } from '../../src/core/feed.ts';
import { published, type JournalEntry } from '../../src/domain/journal.ts';

/**
 * A text as the one WebSocket frame that carries it from a server: final, not masked, not compressed (RFC 6455, 5.2).
 */
function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = 0x81;
  if (start === 2) frame[1] = length;
  else if (start === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, start);
  return frame;
}

/** What the stream carries, made into a frame once, when first wanted, for all sockets. */
abstract class Item {
  #frame: Buffer | undefined;

  get frame(): Buffer {
    this.#frame ??= textFrame(JSON.stringify(this.content()));
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
