import { expect, test } from 'vitest';
import { checkOutage } from '../support/outage.ts';

// `tests/long/outage.test.ts` has it last 30 s, longer than any claim.
test('a database that is away for seconds while jobs run and a message is on its way', async () => {
  await expect(checkOutage(3_000)).resolves.toBeUndefined();
}, 60_000);
