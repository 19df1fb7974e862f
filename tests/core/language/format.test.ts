import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { PRIORITIES, TASK_STATES } from '../../../src/domain/task.ts';
import { CONTEXT, language } from './fixtures.ts';

/** Well-formed text without control characters, rich in what a command line gives a meaning to. */
const spice = fc.constantFrom(
  '-',
  '--',
  '—',
  '"',
  "'",
  '“',
  '”',
  '‘',
  '’',
  '\\',
  ' ',
  '\n',
  '=',
  ':=',
  '.',
  '@',
  '{',
  '[',
  'no-',
  'null',
  '0',
);
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.string({ unit: 'grapheme', maxLength: 6 }),
      spice,
    ),
    {
      maxLength: 6,
    },
  )
  .map((parts) =>
    parts
      .join('')
      .replace(/[^\P{Cc}\t\n\r]/gu, '')
      .toWellFormed(),
  );
const filled = text.filter((t) => t.length > 0);
const name = filled.filter((t) => !t.startsWith('@'));
const ref = fc.oneof(
  fc.nat().map((n) => `TSK-${n}`),
  filled.filter((t) => !/^[a-z]{3}-\d+$/i.test(t)),
);
const instant = fc
  .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
/** Through JSON once: no -0, no undefined; and no key that is refused. */
const clean = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, inner: unknown) => (key === '__proto__' ? undefined : inner));
const json = fc
  .letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      text,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(text, tie('value'), { maxKeys: 3 }),
    ),
  }))
  .value.map(clean);
const dictionary = fc
  .dictionary(fc.oneof(text, fc.constantFrom('env', 'runbook', 'no-x', 'dry-run', 'a.b', 'toString')), json, {
    maxKeys: 4,
  })
  .map(clean);
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0);

const SHAPES: Readonly<Record<string, fc.Arbitrary<object>>> = {
  'task.create': fc.record(
    {
      title: filled,
      description: text,
      priority: fc.constantFrom(...PRIORITIES),
      owner: name,
      labels: fc.array(filled, { maxLength: 3 }),
      dependsOn: fc.array(ref, { maxLength: 3 }),
      due: instant,
    },
    { requiredKeys: ['title'] },
  ),
  'task.list': fc.record(
    {
      state: fc.constantFrom(...TASK_STATES),
      owner: name,
      limit: fc.integer({ min: 1, max: 200 }),
      all: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
  'task.check': fc.record(
    { id: ref, items: fc.array(fc.integer(), { maxLength: 3 }) },
    { requiredKeys: ['id'] },
  ),
  'task.edit': fc.record(
    {
      id: ref,
      title: text,
      owner: fc.option(name),
      weight: fc.option(number),
      pinned: fc.option(fc.boolean()),
      extra: json,
      steps: fc.array(json, { maxLength: 3 }),
    },
    { requiredKeys: ['id'] },
  ),
  'job.run': fc.record({ runbook: filled, after: instant, args: dictionary }, { requiredKeys: ['runbook'] }),
  'probe.run': fc.record(
    {
      name: filled,
      timeout: fc.oneof(fc.integer({ min: 1, max: 86_400_000 }), fc.constant(0.5)),
      dryRun: fc.boolean(),
    },
    { requiredKeys: ['name'] },
  ),
  help: fc.record({ topic: fc.array(fc.oneof(text, fc.constantFrom('task', 'create')), { maxLength: 3 }) }),
};

describe('format', () => {
  test.each(Object.entries(SHAPES))('%s reads back as the same invocation', async (command, shape) => {
    await fc.assert(
      fc.asyncProperty(shape, async (given) => {
        const args = clean(given) as JsonObject;
        const typed = language.format({ command, args });
        fc.pre(typed.length <= 8_000);
        const reading = await language.read({ text: typed }, CONTEXT);
        expect(reading.invocation).toEqual({ command, args });
        expect(reading.sure).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test.each([
    [
      'task.create',
      { title: 'Fix login', priority: 'P0', owner: 'ana' },
      'task create "Fix login" --priority P0 --owner ana',
    ],
    [
      'task.create',
      { title: 'x', labels: [], dependsOn: ['TSK-1', 'TSK-2'] },
      'task create x --no-labels --depends-on TSK-1 --depends-on TSK-2',
    ],
    ['task.create', { title: '--help' }, 'task create "--help"'],
    ['task.create', { title: "don't" }, 'task create "don\'t"'],
    ['task.list', { all: false, limit: 5 }, 'task list --limit 5 --no-all'],
    ['task.check', { id: 'TSK-1', items: [1, 2] }, 'task check TSK-1 1 2'],
    ['task.edit', { id: 'TSK-1', owner: null }, 'task edit TSK-1 --no-owner'],
    [
      'job.run',
      { runbook: 'deploy', args: { env: 'prod', n: 3, v: '3' } },
      'job run deploy --env prod --n 3 --v:="\\"3\\""',
    ],
    [
      'probe.run',
      { name: 'api', timeout: 300_000, url: 'https://x.test/?a=b#c' },
      'probe run api --timeout 5m --url https://x.test/?a=b#c',
    ],
    ['help', { topic: ['task', 'create'] }, 'help task create'],
    ['status', {}, 'status'],
  ])('%s %j', (command, args, expected) => {
    expect(language.format({ command, args })).toBe(expected);
  });

  test('a command that is gone is still shown', () => {
    expect(language.format({ command: 'old.one', args: { a: 1 } })).toBe('old one {"a":1}');
  });
});

describe('any text', () => {
  test('is read or refused, and never anything else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('', 'task create ', 'job run ', 'task edit ', '/sb '),
        fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), text),
        async (start, rest) => {
          const outcome = await language
            .read({ text: start + rest }, CONTEXT)
            .catch((error: unknown) => error);
          if (outcome instanceof Error) expect(outcome.name).toBe('Refusal');
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
