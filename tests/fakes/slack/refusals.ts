import type { PageWorld } from './page/world.ts';

const refuse = (what: string) => (): Promise<never> =>
  Promise.reject(new Error(`The app has no ${what} yet.`));

/** What people do in Slack that the app has no part in yet. */
export const REFUSALS: Pick<
  PageWorld,
  'openHome' | 'clickInHome' | 'submitModal' | 'closeModal' | 'messageShortcut'
> = {
  openHome: refuse('App Home'),
  clickInHome: refuse('App Home'),
  submitModal: refuse('modals'),
  closeModal: refuse('modals'),
  messageShortcut: refuse('message shortcuts'),
};
