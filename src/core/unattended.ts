/** What only people may do, there and then: decide, confirm, say who may do what, and let commands run by themselves. */
const ATTENDED =
  /^(?:approval\.(?:approve|deny|decide|cancel)|job\.continue|yes|no|link|(?:person|role|key|schedule)\..*)$/;

/** Whether a command may run without a person who asks for it: by a webhook's rule or a schedule. */
export const mayRunUnattended = (command: string): boolean => !ATTENDED.test(command);
