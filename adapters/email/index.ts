import type { Adapter, Health } from '../../src/core/adapter.ts';
import { ownAlone, standsBy } from '../../src/core/owned.ts';
import { SECOND } from '../../src/domain/clock.ts';
import type { EmailOptions } from './options.ts';

export type { Cursor, EmailOptions } from './options.ts';

/**
 * The email channel: commands by mail from senders that DKIM proves, answers threaded under them. The mail libraries
 * are loaded here, so that a Signalbox without mail does not carry them.
 */
export async function createEmailAdapter(options: EmailOptions): Promise<Adapter> {
  const [{ createMailNotifier }, { createIntake }, { Mailbox }] = await Promise.all([
    import('./notifier.ts'),
    import('./intake.ts'),
    import('./mailbox.ts'),
  ]);
  const notifier = createMailNotifier(options.smtp, options.address);
  const intake = createIntake(options, notifier);
  const newMailbox = () => new Mailbox(options, intake);
  let mailbox = newMailbox();
  let state: 'new' | 'started' | 'stopped' = 'new';
  const owned = (options.own ?? ownAlone)(`mailbox:${options.imap.user}@${options.imap.host}`, {
    async begin() {
      // One that was stopped is not used again.
      mailbox = newMailbox();
      if (state !== 'stopped') await mailbox.start();
    },
    end: () => mailbox.stop(AbortSignal.timeout(SECOND)),
  });
  return {
    name: 'email',
    notifier,
    async start() {
      state = 'started';
      await owned.start();
    },
    async stop(deadline) {
      state = 'stopped';
      await mailbox.stop(deadline);
      await owned.stop();
      notifier.close();
    },
    health(): Health {
      if (state === 'started' && !owned.held && notifier.trouble() === undefined)
        return standsBy(owned, 'reads the mailbox');
      const reason = mailbox.trouble() ?? notifier.trouble();
      return reason === undefined ? { state: 'on' } : { state: 'deaf', reason };
    },
  };
}
