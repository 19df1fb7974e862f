import { expect, test } from 'vitest';
import { checkOutage } from '../support/outage.ts';

test('a database that is away for 30 s while jobs run and a message is on its way', async () => {
  await expect(checkOutage(30_000)).resolves.toBeUndefined();
}, 180_000);
