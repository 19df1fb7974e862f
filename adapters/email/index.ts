import type { Adapter, Health } from '../../src/core/adapter.ts';
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
  const mailbox = new Mailbox(options, createIntake(options, notifier));
  return {
    name: 'email',
    notifier,
    start: () => mailbox.start(),
    async stop(deadline) {
      await mailbox.stop(deadline);
      notifier.close();
    },
    health(): Health {
      const reason = mailbox.trouble() ?? notifier.trouble();
      return reason === undefined ? { state: 'on' } : { state: 'deaf', reason };
    },
  };
}
