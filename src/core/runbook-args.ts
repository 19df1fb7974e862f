import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { Refusal } from '../domain/errors.ts';
import type { JsonObject } from '../domain/json.ts';
import type { Runbook } from '../domain/runbook.ts';

const ajv = new Ajv2020({ strict: true, allErrors: false, useDefaults: true });
const compiled = new WeakMap<Runbook, ValidateFunction>();

/**
 * The arguments as the runbook's schema takes them, with its defaults filled in.
 * @throws Refusal `invalid_argument` in one line that says what was expected.
 */
export function runbookArgs(runbook: Runbook, args: JsonObject): JsonObject {
  let validate = compiled.get(runbook);
  if (!validate) {
    validate = ajv.compile(runbook.args);
    compiled.set(runbook, validate);
  }
  const filled = structuredClone(args) as Record<string, unknown>;
  if (validate(filled)) return filled as JsonObject;
  const [error] = validate.errors ?? [];
  const where = error?.instancePath.slice(1).replaceAll('/', '.') || 'arguments';
  const allowed = error?.params?.['allowedValues'] ?? error?.params?.['additionalProperty'];
  const detail = allowed === undefined ? '' : `: ${[allowed].flat().join(', ')}`;
  throw new Refusal(
    'invalid_argument',
    `${runbook.name}: ${where} ${error?.message ?? 'is not valid'}${detail}.`,
  );
}
