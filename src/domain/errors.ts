/** The one error vocabulary. Each edge maps it once: REST to a problem document, Slack to text, and so on. */
export type RefusalCode =
  | 'malformed' // 400: not JSON, not UTF-8, not the shape of a message
  | 'invalid_argument' // 400: an argument is missing, unknown, or not what was expected
  | 'unknown_command' // 400
  | 'unauthenticated' // 401
  | 'forbidden' // 403: proven, but not allowed (or not linked to anybody)
  | 'not_found' // 404
  | 'method_not_allowed' // 405
  | 'conflict' // 409: the state does not allow it
  | 'stale' // 412: somebody changed it in between
  | 'too_large' // 413
  | 'unsupported_media_type' // 415
  | 'key_reused' // 422: the same key with another content
  | 'upgrade_required' // 426: this address speaks another protocol
  | 'precondition_required' // 428
  | 'rate_limited' // 429
  | 'internal' // 500
  | 'unavailable'; // 503: the database, the disk or a stop in progress

/** HTTP status of each code (RFC 9110; 428 and 429 from RFC 6585). */
export const STATUS: Record<RefusalCode, number> = {
  malformed: 400,
  invalid_argument: 400,
  unknown_command: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  stale: 412,
  too_large: 413,
  unsupported_media_type: 415,
  key_reused: 422,
  upgrade_required: 426,
  precondition_required: 428,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
};

export interface RefusalDetails {
  /** What to type instead, as commands. */
  readonly suggestions?: readonly string[];
  /** Milliseconds until a repeat may succeed (`Retry-After`). */
  readonly retryAfter?: number;
  /** What the journal keeps of it, although all that the command wrote is undone. */
  readonly entry?: RefusalEntry;
  /** The argument at fault, for whoever shows it beside its field. */
  readonly argument?: ArgumentFault;
  /** A command that was named and lacks something, with what it was given. */
  readonly unfilled?: Unfilled;
  readonly cause?: unknown;
}

export interface ArgumentFault {
  readonly name: string;
  /** What was expected of it, without the example that the message ends with. */
  readonly problem: string;
}

export interface Unfilled {
  readonly command: string;
  /** JSON. */
  readonly args: Readonly<Record<string, unknown>>;
}

export interface RefusalEntry {
  readonly event: string;
  readonly target: string;
  readonly details: Readonly<Record<string, string | number | null | readonly string[]>>;
}

/** A refusal that the sender is meant to read: what was expected, without leaking what is inside. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly suggestions: readonly string[];
  readonly retryAfter: number | undefined;
  readonly entry: RefusalEntry | undefined;
  readonly argument: ArgumentFault | undefined;
  readonly unfilled: Unfilled | undefined;

  constructor(code: RefusalCode, message: string, details: RefusalDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Refusal';
    this.code = code;
    this.suggestions = details.suggestions ?? [];
    this.retryAfter = details.retryAfter;
    this.entry = details.entry;
    this.argument = details.argument;
    this.unfilled = details.unfilled;
  }
}

/** What a caller may see of any error: a refusal as it is, anything else as `internal` without its text. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return new Refusal('internal', 'Something went wrong inside; it was logged with the correlation id.', {
    cause: error,
  });
}
