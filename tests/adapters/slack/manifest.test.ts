import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { commands } from '../../../commands/index.ts';
import { EVENTS, METHODS } from '../../fakes/slack/methods.ts';

interface Manifest {
  features: {
    slash_commands: { command: string; url: string; should_escape: boolean }[];
    shortcuts: { name: string; type: string; callback_id: string }[];
  };
  oauth_config: { scopes: { bot: string[] } };
  settings: {
    event_subscriptions: { request_url: string; bot_events: string[] };
    interactivity: { is_enabled: boolean; request_url: string };
  };
}

const root = new URL('../../../', import.meta.url);
const manifest = parse(await readFile(new URL('manifest.yml', root), 'utf8')) as Manifest;
const { features, oauth_config, settings } = manifest;

/** One event type, and a subscription for each kind of conversation (docs.slack.dev/reference/events/message). */
const SUBSCRIPTIONS: Readonly<Record<string, string>> = { message: 'message.im' };

/** Web API methods and events that the adapter's source names. */
async function used(): Promise<{ methods: string[]; events: string[] }> {
  const folder = new URL('adapters/slack/', root);
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'));
  const source = (await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')))).join('\n');
  const all = (pattern: RegExp): string[] => [...source.matchAll(pattern)].map((match) => match[1] ?? '');
  return {
    methods: all(/client\.([a-z.A-Z]+)\(/g),
    events: all(/app\.event\('(\w+)'/g).map((event) => SUBSCRIPTIONS[event] ?? event),
  };
}

describe('the manifest', () => {
  test('asks for exactly the scopes that are used', async () => {
    const { methods, events } = await used();
    expect(methods).toContain('chat.postMessage');
    const needed = [
      'commands',
      ...methods.flatMap((method) => METHODS[method]?.scopes),
      ...events.map((event) => EVENTS[event]),
    ];
    const scopes = new Set(needed.filter((scope) => scope !== undefined));
    expect(oauth_config.scopes.bot).toEqual([...scopes].toSorted());
  });

  test('subscribes to exactly the events that are heard', async () => {
    const { bot_events } = settings.event_subscriptions;
    expect(new Set(bot_events)).toEqual(new Set((await used()).events));
    expect(bot_events).toHaveLength(new Set(bot_events).size);
  });

  test('gives everybody a Home, and lets people write to the bot directly', () => {
    expect(features).toMatchObject({
      app_home: { home_tab_enabled: true, messages_tab_enabled: true, messages_tab_read_only_enabled: false },
    });
  });

  test('names one address for everything', () => {
    const { slash_commands } = features;
    const urls = [
      settings.event_subscriptions.request_url,
      settings.interactivity.request_url,
      ...slash_commands.map(({ url }) => url),
    ];
    expect(new Set(urls)).toEqual(new Set(['https://signalbox.example.com/slack/events']));
  });

  test('has both slash commands, with ids in place of names', () => {
    expect(features.slash_commands).toMatchObject([
      { command: '/signalbox', should_escape: true },
      { command: '/sb', should_escape: true },
    ]);
    expect(settings.interactivity.is_enabled).toBe(true);
  });

  test('has a shortcut for every command that a message can become', () => {
    const declared = commands.flatMap(({ fromMessage }) => fromMessage ?? []);
    expect(features.shortcuts.map(({ name, type, callback_id: id }) => ({ title: name, type, id }))).toEqual(
      declared.map(({ title, id }) => ({ title, type: 'message', id })),
    );
    for (const { title } of declared) expect(title.length).toBeLessThanOrEqual(24);
  });
});
