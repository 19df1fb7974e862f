export { approverNotes } from './approvers.ts';
export { checkCatalog, runCheck } from './check.ts';
export { EXPECTED, readDatabase } from './database.ts';
export { loadConfig, loadSettings, readMergedEnvironment, sourceSecrets, type Config } from './load.ts';
export { ConfigError } from './problem.ts';
export type { Environment } from './catalog.ts';
export type { MailServer } from './channels.ts';
export type { Options, WorkerSettings } from './env.ts';
