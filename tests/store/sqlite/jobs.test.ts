import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobsContract } from '../../contract/jobs.ts';

jobsContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
  return {
    database: join(folder, 'jobs.db'),
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
});
