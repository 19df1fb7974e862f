import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { Refusal } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/json.ts';
import { refuseSecrets } from '../domain/redact.ts';
import type { Runbook } from '../domain/runbook.ts';

const ajv = new Ajv2020({ strict: true, allErrors: false, useDefaults: true });
type Contract = Pick<Runbook, 'name' | 'args'>;
const compiled = new WeakMap<Contract, ValidateFunction>();

/**
 * The arguments as the runbook's schema takes them, with its defaults filled in.
 * @throws Refusal `invalid_argument` in one line that says what was expected, with the runbook's usage; also for what
 * looks like a secret, since arguments are stored and shown to those who approve.
 */
export function runbookArgs(runbook: Contract, args: JsonObject): JsonObject {
  let validate = compiled.get(runbook);
  if (!validate) {
    validate = ajv.compile(runbook.args);
    compiled.set(runbook, validate);
  }
  refuseSecrets(args);
  const filled = structuredClone(args) as Record<string, unknown>;
  if (validate(filled)) return filled as JsonObject;
  const [error] = validate.errors ?? [];
  throw new Refusal(
    'invalid_argument',
    `${error ? fault(error) : 'not valid'}. Usage: ${runbookUsage(runbook)}`,
  );
}

function fault({ keyword, instancePath, params, message }: ErrorObject): string {
  const at = instancePath.slice(1).replaceAll('/', '.');
  if (keyword === 'required') return `--${String(params['missingProperty'])} is missing`;
  if (keyword === 'additionalProperties')
    return `--${String(params['additionalProperty'])} is no argument of it`;
  const allowed: unknown = params['allowedValues'];
  if (Array.isArray(allowed)) return `${at}: expected ${allowed.join(' or ')}`;
  return `${at}: ${message ?? 'not valid'}`;
}

/** `job run deploy --service TEXT --env staging|production`; what may be left out stands in brackets. */
export function runbookUsage({ name, args }: Contract): string {
  const required = list(args['required']);
  const properties = Object.entries((args['properties'] ?? {}) as Record<string, JsonObject>);
  const flags = properties.map(([property, schema]) => {
    const flag = `--${property} ${values(schema)}`;
    return required.includes(property) ? flag : `[${flag}]`;
  });
  return ['job run', name, ...flags].join(' ');
}

const values = (schema: JsonObject): string =>
  list(schema['enum']).map(String).join('|') ||
  (typeof schema['type'] === 'string' ? schema['type'] : 'value').toUpperCase();

const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);
