import { randomFillSync } from 'node:crypto';

const LENGTH = 16;
/** Random bytes are drawn for many salts at once: each draw is a call into the kernel. */
const pool = Buffer.alloc(256 * LENGTH);
let used = pool.length;

/** A salt that was never given out before and is nowhere kept but with what it salts. */
export function newSalt(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const salt = pool.toString('hex', used, used + LENGTH);
  pool.fill(0, used, used + LENGTH);
  used += LENGTH;
  return salt;
}
