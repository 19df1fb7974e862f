import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

export interface ShownFiles {
  /** The text of a shown file. */
  text(path: string): string;
  /** Imports a shown module by the path that the page gives it. */
  load<M>(path: string): Promise<M>;
  remove(): void;
}

/**
 * The files that a page of docs/ shows, laid out beside the tree: each block names its file in a comment on its first
 * line. What they import is the real thing, or another file of the page.
 */
export function layOut(page: string): ShownFiles {
  const source = readFileSync(join(ROOT, 'docs', page), 'utf8');
  const blocks = source.matchAll(/```(?:ts|sql)\n(?:\/\/|--) (\S+\.(?:ts|sql))\n(.*?)```/gs);
  const files = new Map([...blocks].map(([, path = '', text = '']) => [path, text]));
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-docs-'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const [path, text] of files) {
    const linked = text.replaceAll(/from '(\.[^']+)'/g, (_, specifier: string) => {
      const target = join(dirname(path), specifier);
      return `from '${join(files.has(target) ? folder : ROOT, target)}'`;
    });
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), linked);
  }
  return {
    text: (path) => files.get(path) ?? '',
    load: <M>(path: string) => import(join(folder, path)) as Promise<M>,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
