/** Slack's own word for why a call has no effect: `channel_not_found`. */
export class ApiRefusal extends Error {
  readonly error: string;
  /** What rule the app broke with it; undefined where nobody could have known. */
  readonly violation: string | undefined;

  constructor(error: string, violation?: string) {
    super(error);
    this.error = error;
    this.violation = violation;
  }
}
