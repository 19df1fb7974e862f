import type { Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { etagOf } from '../../src/domain/etag.ts';
import type { Json } from '../../src/domain/json.ts';

/**
 * Lets a change through only if the thing is still what the sender holds (`If-Match`, RFC 9110 section 13.1.1).
 * @throws Refusal `stale`.
 */
export function checkHeld(ctx: Ctx, ref: string, view: Json): void {
  const held = ctx.ifMatch?.split(',').map((tag) => tag.trim());
  if (held !== undefined && !held.includes('*') && !held.includes(etagOf(view)))
    throw new Refusal('stale', `${ref} was changed in between; read it again.`);
}
