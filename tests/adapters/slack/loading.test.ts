import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test("Slack's libraries are not loaded along with the adapter's module", async () => {
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
    await import('./adapters/slack/index.ts');
    console.log(JSON.stringify(loaded));`;
  const root = new URL('../../../', import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
  });
  const loaded = JSON.parse(stdout) as string[];
  expect(loaded.some((url) => url.endsWith('/adapters/slack/index.ts'))).toBe(true);
  expect(loaded.filter((url) => url.includes('/@slack/'))).toEqual([]);
});
