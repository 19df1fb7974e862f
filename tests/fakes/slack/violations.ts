/** What the app did that the real Slack would refuse, or that its documentation forbids. */
export class Violations {
  readonly list: string[] = [];

  add(what: string): void {
    this.list.push(what);
  }

  /** @throws Error naming every violation. */
  assertNone(): void {
    if (this.list.length > 0) throw new Error(`Slack's rules were broken:\n- ${this.list.join('\n- ')}`);
  }
}
