import { afterEach, describe, expect, test } from 'vitest';
import { outbox } from '../../../src/domain/records.ts';
import { DATABASES } from '../../support/databases.ts';
import type { Harness } from '../../support/harness.ts';
import { endTry } from '../../support/tries.ts';
import { byMail, events, job, onSlack, rows } from '../support.ts';

let h: Harness;
afterEach(() => h.close());

/** What goes to the conversations that asked, by key. */
const told = async () =>
  (await rows(h, outbox, { where: { key: { prefix: 'job:' } }, orderBy: [{ column: 'id' }] }))
    .filter(({ state }) => state === 'queued')
    .map(({ key, reply }) => `${key} ${(reply as { reply: { text: string } }).reply.text}`);

describe.each(DATABASES)('on %s a job that is cancelled while nobody runs it', (_name, open) => {
  test('is told as ended where it was asked for, each time', async () => {
    h = await open();
    await h.run('', 'job run restart --in 1h', onSlack('ben'));
    expect((await h.run('cho', 'job cancel JOB-1')).reply.text).toBe('JOB-1 is cancelled.');
    expect(await told()).toEqual(['job:JOB-1:3:end JOB-1 cancelled: restart']);
    await h.run('ben', 'job retry JOB-1');
    await h.run('cho', 'job cancel JOB-1');
    expect(await told()).toEqual(['job:JOB-1:5:end JOB-1 cancelled: restart']);
    expect((await events(h, /^job\.cancelled$/)).map(({ actor }) => actor)).toEqual(['cho', 'cho']);
  });

  test('between two tries, too', async () => {
    h = await open();
    await h.run('', 'job run restart', byMail('ben'));
    await endTry(h, { kind: 'retry', reason: 'busy', failure: 'server' });
    await h.run('cho', 'job cancel JOB-1');
    expect(await told()).toEqual(['job:JOB-1:5:end JOB-1 cancelled: restart']);
    expect(await job(h)).toMatchObject({ state: 'cancelled', ticket: null, error: null });
  });

  test('is not told twice where the outcome of its approval is told', async () => {
    h = await open();
    await h.run('', 'job run deploy --env staging', onSlack('ana'));
    await h.run('ben', 'deny APR-1 --reason "not today"');
    expect(await job(h)).toMatchObject({ state: 'cancelled', error: 'APR-1 denied: not today' });
    expect(await told()).toEqual(['job:JOB-1:answer:APR-1 APR-1 denied: not today.']);
    const [outcome] = await rows(h, outbox, { where: { key: 'job:JOB-1:answer:APR-1' } });
    expect(outcome?.address).toMatchObject({ channel: 'slack', to: 'C1' });
  });
});
