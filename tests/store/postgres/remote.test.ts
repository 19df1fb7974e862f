import { afterEach, beforeEach, expect, test } from 'vitest';
import { effects } from '../../../src/domain/records.ts';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { render } from '../../commands/remote.ts';
import { events, rows } from '../../core/support.ts';
import { createHarness, type Harness } from '../../support/harness.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

// Remote workers that talk to two servers on one database at the same time.

const JOBS = 20;
let database: TestDatabase;
let here: Harness;
let there: Harness;
beforeEach(async () => {
  database = await createDatabase();
  const open = () =>
    createHarness({ runbooks: new Map([['render', render()]]) }, [], (_path, clock) =>
      openPostgres({ url: database.url, clock }),
    );
  [here, there] = [await open(), await open()];
  for (let n = 0; n < JOBS; n += 1) await here.run('ana', 'job run render');
});
afterEach(async () => {
  await here.close();
  await there.close();
  await database.drop();
});

type Item = { readonly id: string; readonly claim: string };
const say = (h: Harness, command: string, args: Record<string, string>) =>
  h.run('bot', { command: `job.${command}`, args });
const claimAll = async (): Promise<Item[]> => {
  const looks = Array.from({ length: JOBS }, (_, n) =>
    (n % 2 ? here : there).run('bot', { command: 'job.claim', args: { capabilities: ['gpu'] } }),
  );
  return (await Promise.all(looks)).flatMap(
    ({ reply }) => (reply.data as unknown as { items: Item[] }).items,
  );
};

test('each job is claimed once, and ended once by the same words', async () => {
  const claimed = await claimAll();
  expect(new Set(claimed.map(({ id }) => id)).size).toBe(JOBS);
  const answers = await Promise.all(
    claimed.flatMap(({ id, claim }) => [here, there].map((h) => say(h, 'complete', { id, claim }))),
  );
  expect(answers.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(await events(here, /^job\.succeeded$/)).toHaveLength(JOBS);
  expect(await rows(here, effects)).toHaveLength(JOBS);
});

test('of two ends and a cancel at once, one end is written, and one receipt', async () => {
  const claimed = await claimAll();
  await Promise.all(
    claimed.flatMap(({ id, claim }) => [
      say(here, 'complete', { id, claim }),
      say(there, 'fail', { id, claim, reason: 'no' }),
      there.run('ana', `job cancel ${id}`),
    ]),
  );
  expect(await events(here, /^job\.(succeeded|failed|cancelled)$/)).toHaveLength(JOBS);
  expect(await rows(here, effects)).toHaveLength(JOBS);
});
