import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';

const schema = z.object({
  features: z.object({
    app_home: z.object({ home_tab_enabled: z.boolean().default(false) }).default({ home_tab_enabled: false }),
    shortcuts: z
      .array(z.object({ name: z.string(), type: z.enum(['message', 'global']), callback_id: z.string() }))
      .default([]),
  }),
  oauth_config: z.object({ scopes: z.object({ bot: z.array(z.string()) }) }),
  settings: z.object({ event_subscriptions: z.object({ bot_events: z.array(z.string()) }) }),
});

/** An entry of a message's menu. */
export interface Shortcut {
  readonly name: string;
  readonly callback: string;
}

/** What an app's manifest asks of Slack. */
export interface Manifest {
  /** Of messages alone. */
  readonly shortcuts: readonly Shortcut[];
  readonly hasHome: boolean;
  readonly scopes: readonly string[];
  readonly events: readonly string[];
}

/** @throws ZodError where the file is no manifest. */
export async function readManifest(file: URL): Promise<Manifest> {
  const { features, oauth_config, settings } = schema.parse(parse(await readFile(file, 'utf8')));
  return {
    shortcuts: features.shortcuts
      .filter(({ type }) => type === 'message')
      .map(({ name, callback_id }) => ({ name, callback: callback_id })),
    hasHome: features.app_home.home_tab_enabled,
    scopes: oauth_config.scopes.bot,
    events: settings.event_subscriptions.bot_events,
  };
}
