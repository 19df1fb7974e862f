import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readEnvironment } from '../../src/config/env.ts';
import { variablesIn } from '../../src/config/variables.ts';
import { run } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const text = readFileSync(join(ROOT, 'compose.yaml'), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly env_file?: readonly { readonly path: string }[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly deploy?: { readonly replicas: number };
  readonly volumes?: readonly string[];
  readonly configs?: readonly { readonly source: string }[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
}

/** What compose makes of `${NAME:-default}` and `${NAME:?why}`, with the secrets that its first lines tell to make. */
const SECRETS = ['POSTGRES_PASSWORD', 'OWNER_PASSWORD', 'SERVER_PASSWORD', 'SIGNALBOX_ADMIN_TOKEN'];
const filled = text.replaceAll(/\$\{(\w+)(:[-?])([^}]*)\}/g, (_, name: string, op: string, rest: string) => {
  if (op === ':-') return rest;
  expect(SECRETS).toContain(name);
  return `example-${name.toLowerCase()}-0123456789abcdef`;
});
const compose = parse(filled, { merge: true }) as Compose;
const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => service.build !== undefined);

test('it is PostgreSQL, two servers, two workers, one migration before them, and a proxy', () => {
  expect(services.map(([name]) => name)).toEqual(['postgres', 'migrate', 'server', 'worker', 'proxy']);
  const { postgres, migrate, server, worker } = compose.services;
  expect(postgres?.image).toBe('postgres:17');
  expect([server?.deploy?.replicas, worker?.deploy?.replicas]).toEqual([2, 2]);
  expect(migrate?.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
  for (const service of [server, worker])
    expect(service?.depends_on).toEqual({ migrate: { condition: 'service_completed_successfully' } });
});

test('what a service refers to is there', () => {
  for (const [name, { depends_on = {}, volumes = [], configs = [] }] of services) {
    for (const other of Object.keys(depends_on)) expect(Object.keys(compose.services), name).toContain(other);
    for (const { source } of configs) expect(Object.keys(compose.configs), name).toContain(source);
    for (const [from = ''] of volumes.map((volume) => volume.split(':'))) {
      if (from.startsWith('.')) expect(existsSync(join(ROOT, from)), from).toBe(true);
      else expect(Object.keys(compose.volumes), name).toContain(from);
    }
  }
  expect(compose.configs['caddy']?.content).toContain(
    `dynamic a server ${compose.services['server']?.environment?.['PORT']}`,
  );
});

describe.each(ours)('%s', (name, service) => {
  test('runs a subcommand that there is, through the entry point of the image', async () => {
    expect(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')).toContain('ENTRYPOINT ["node", "src/main.ts"]');
    const usage = (await run([], { folder: tempFolder() })).err;
    const [verb = '', ...options] = service.command ?? [];
    const line = usage.split('\n').find((l) => l.startsWith(`  ${verb} `)) ?? '';
    for (const word of [verb, ...options]) expect(line).toContain(word);
  });

  test('is given settings that the program knows and takes', () => {
    const set = service.environment ?? {};
    expect(Object.keys(variablesIn(ROOT).shape)).toEqual(expect.arrayContaining(Object.keys(set)));
    const { settings, problems, notes } = readEnvironment(set, undefined, ROOT);
    expect({ problems, notes }).toEqual({ problems: [], notes: [] });
    expect(settings?.database).toMatchObject({
      kind: 'postgres',
      owner: name === 'migrate' ? expect.stringContaining('signalbox_owner') : undefined,
    });
  });

  test('sees no password of another role than its own', () => {
    expect(service.env_file).toEqual([{ path: 'signalbox.env', required: false }]);
    const all = JSON.stringify(service.environment);
    expect(all).not.toContain('postgres_password');
    expect(all.includes('owner_password')).toBe(name === 'migrate');
  });
});

test('a worker answers where the health check of the image asks', () => {
  const { SIGNALBOX_HEALTH_PORT: health, PORT: port } = compose.services['worker']?.environment ?? {};
  expect(health).toBe(port);
  expect(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')).toMatch(/HEALTHCHECK[^]*process\.env\.PORT/);
});

test('what .env.example has may go into signalbox.env', () => {
  const { problems } = readEnvironment(
    parseEnv(readFileSync(join(ROOT, '.env.example'), 'utf8')),
    undefined,
    ROOT,
  );
  expect(problems).toEqual([]);
});
