import { keepArtifacts } from '../../src/core/artifacts.ts';
import { createHarness, type Harness } from '../support/harness.ts';

/**
 * What the examples of task, artifact, person, role, key, subscription and session commands refer to: TSK-1 to TSK-4 (2 has an
 * open item, 3 waits for 2, 4 is blocked), dan (operator), the role `unused`, the key `desk`, SUB-1 on Slack, ART-1.
 */
const SEED = [
  'task create "Fix login"',
  'task create "Write the guide"',
  'task create "Publish the guide"',
  'task create "Renew the certificate"',
  'task check TSK-2 --add "collect questions"',
  'task depend TSK-3 TSK-2',
  'task block TSK-4 --reason "the vendor is asleep"',
  'person add dan --roles operator --identity slack:T1/UDAN',
  'role add unused task:read',
  'key create desk',
  'subscribe job.* --to slack:C1',
] as const;

/** A harness in which ana, an administrator, ran the seed. */
export async function seeded(create = createHarness): Promise<Harness> {
  const harness = await create();
  for (const text of SEED) {
    const answer = await harness.run('ana', text);
    if (answer.status !== 'ok') throw new Error(`${text}: ${answer.reply.text}`);
  }
  const maker = { ref: 'JOB-1', requester: 'ana', correlationId: 'c-1', cause: null };
  const note = { name: 'note.txt', kind: 'text', mediaType: 'text/plain', content: 'A text' } as const;
  await harness.store.transaction('main', (tx) => keepArtifacts(tx, maker, [note]));
  return harness;
}
