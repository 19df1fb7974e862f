import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const PIECE = 16;
/** Filled for many pieces at once: each filling is a call into the kernel. */
const pool = Buffer.alloc(256 * PIECE);
let used = pool.length;

/** 16 unpredictable bytes, for one use before the next are drawn. */
function draw(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += PIECE;
  return pool.subarray(used - PIECE, used);
}

let msecs = 0;
let seq = 0;

/** A UUIDv7 that sorts behind every other one of this process (RFC 9562, 6.2: a counter within the millisecond). */
export function newId(): string {
  const random = draw();
  const now = Date.now();
  if (now > msecs) {
    msecs = now;
    seq = random.readUInt32BE(6) >>> 1;
  } else {
    seq = (seq + 1) | 0;
    if (seq === 0) msecs += 1;
  }
  return v7({ msecs, seq, random });
}

/** 128 bits in hex, so that what is hashed together with them cannot be guessed from its hash. */
export function newSalt(): string {
  return draw().toString('hex');
}
