import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';

const manifest = z.object({
  features: z.object({
    shortcuts: z
      .array(z.object({ name: z.string(), type: z.enum(['message', 'global']), callback_id: z.string() }))
      .default([]),
  }),
});

/** An entry of a message's menu. */
export interface Shortcut {
  readonly name: string;
  readonly callback: string;
}

/** The message shortcuts that the app's manifest declares. */
export async function messageShortcuts(file: URL): Promise<Shortcut[]> {
  const { features } = manifest.parse(parse(await readFile(file, 'utf8')));
  return features.shortcuts
    .filter(({ type }) => type === 'message')
    .map(({ name, callback_id }) => ({ name, callback: callback_id }));
}
