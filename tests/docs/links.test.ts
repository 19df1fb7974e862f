import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT });

/** Links to files of the repository; addresses and anchors within the page are somebody else's business. */
const links = (text: string): string[] =>
  [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)].map(([, target = '']) => target);

/** Paths in backticks that begin with one of our folders; a placeholder in `<…>` names many. */
const paths = (text: string): string[] =>
  [...text.matchAll(/`((?:src|commands|adapters|migrations|tests|docs)\/[^`\s<*…]*)`/g)].map(
    ([, path = '']) => path,
  );

describe.each(pages)('%s', (page) => {
  // Code blocks show files that the reader is about to write.
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/```.*?```/gs, '');

  test('links to what is there', () => {
    const missing = links(text).filter((target) => !existsSync(join(ROOT, dirname(page), target)));
    expect(missing).toEqual([]);
  });

  test('names files that are there', () => {
    const missing = paths(text).filter((path) => !existsSync(join(ROOT, path)));
    expect(missing).toEqual([]);
  });
});
