import type { Sandbox } from '../../domain/catalog.ts';
import { Refusal } from '../../domain/errors.ts';
import { holdsSecret } from '../../domain/redact.ts';

/**
 * Looks at what is about to go out, named by where it stands (`the header authorization`).
 * @throws Refusal `forbidden` that names the place and not the value, where a sandbox would send a live credential.
 */
export function refuseLive(
  sandbox: Sandbox | undefined,
  parts: Iterable<readonly [where: string, value: string | undefined]>,
): void {
  if (!sandbox) return;
  for (const [where, value] of parts)
    if (value !== undefined && holdsSecret(value))
      throw new Refusal(
        'forbidden',
        `This workspace is a sandbox, and ${where} holds what looks like a live key; give it one for tests.`,
      );
}
