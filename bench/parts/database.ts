import { rmSync } from 'node:fs';
import { Child } from '../child.ts';
import type { DatabaseAnswer, DatabaseQuestion } from '../database.ts';
import { temporaryFolder } from '../server.ts';

export interface RawDatabase {
  readonly single: DatabaseAnswer;
  readonly grouped: DatabaseAnswer;
}

/** As many share an fsync as there are callers in the other parts. */
const GROUP = 32;

export async function database(seconds: number): Promise<RawDatabase> {
  const child = new Child<DatabaseQuestion, DatabaseAnswer>(new URL('../database.ts', import.meta.url));
  const folder = temporaryFolder();
  try {
    const single = await child.ask({ folder, group: 1, seconds });
    return { single, grouped: await child.ask({ folder, group: GROUP, seconds }) };
  } finally {
    child.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
