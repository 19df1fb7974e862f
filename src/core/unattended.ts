/**
 * What only people and workers may do, there and then: decide, confirm, take and return work, set a breaker back, say who
 * may do what, and let commands run by themselves.
 */
const ATTENDED =
  /^(?:approval\.(?:approve|deny|decide|cancel)|artifact\.(?:accept|reject)|breaker\.reset|job\.(?:claim|complete|continue|dead\.dismiss|fail|heartbeat)|yes|no|link|(?:person|role|key|schedule)\..*)$/;

/** Whether a command may run without a person who asks for it: by a webhook's rule or a schedule. */
export const mayRunUnattended = (command: string): boolean => !ATTENDED.test(command);
