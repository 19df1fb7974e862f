/** Whom a person at the page can be. */
export const PEOPLE = [
  { id: 'UANA00001', name: 'Ana', isRestricted: false },
  { id: 'UBEN00001', name: 'Ben', isRestricted: false },
  { id: 'UCLEO0001', name: 'Cleo', isRestricted: false },
  { id: 'UGUS00001', name: 'Gus', isRestricted: true },
] as const;

/** Where they can talk, beside their direct messages with the bot. */
export const CHANNELS = [
  { id: 'C0GENERAL', name: 'general' },
  { id: 'C0OPS0001', name: 'ops' },
  { id: 'C0DEPLOYS', name: 'deploys' },
] as const;
