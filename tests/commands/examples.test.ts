import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { artifactCommands } from '../../commands/artifact/index.ts';
import { auditCommands } from '../../commands/audit/index.ts';
import { commands } from '../../commands/index.ts';
import { keyCommands } from '../../commands/key/index.ts';
import { personCommands } from '../../commands/person/index.ts';
import { roleCommands } from '../../commands/role/index.ts';
import { sessionCommands } from '../../commands/session/index.ts';
import { subscriptionCommands } from '../../commands/subscription.ts';
import { taskCommands } from '../../commands/task/index.ts';
import { usageCommands } from '../../commands/usage.ts';
import { specOf } from '../../src/core/language/fields.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { seeded } from './seed.ts';

const own = [
  ...taskCommands,
  ...artifactCommands,
  ...usageCommands,
  ...subscriptionCommands,
  ...auditCommands,
  ...personCommands,
  ...roleCommands,
  ...keyCommands,
  ...sessionCommands,
];

/** Whoever an example cannot be run by as it stands: what has to come first. */
const BEFORE: Readonly<Record<string, { who: string; say: string }>> = {
  yes: { who: 'ana', say: 'please open a task to water the plants' },
  no: { who: 'ana', say: 'please open a task to water the plants' },
  'link --remove slack:T1/UDAN': { who: 'dan', say: 'link' },
};

describe.each(DATABASES)('every example, on %s', (_name, create) => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await seeded(create);
  });
  afterEach(() => harness.close());

  const cases = own.flatMap(({ examples }) => examples.map((example) => [example.text, example] as const));
  test.each(cases)('%s', async (typed, { json, says }) => {
    const context = { now: harness.clock.now(), who: 'ana' };
    const read = await harness.language.read({ text: typed }, context);
    expect(read.invocation).toEqual(json);
    expect((await harness.language.read(json, context)).args).toEqual(read.args);
    const shown = harness.language.format(json);
    expect((await harness.language.read({ text: shown }, context)).invocation).toEqual(json);
    if (says !== undefined)
      expect((await harness.language.read({ text: says }, context)).invocation).toEqual(json);

    const { who, say } = BEFORE[typed] ?? { who: 'ana', say: undefined };
    if (say !== undefined) await harness.run(who, say);
    const answer = await harness.run(who, typed);
    expect(answer.reply.text).not.toBe('');
    expect(answer, answer.reply.text).toMatchObject({ status: 'ok' });
  });
});

test('every command and argument is described', () => {
  for (const { name, summary } of commands) expect(summary, name).toMatch(/[.]$/);
  const bare = commands.flatMap((command) =>
    specOf(command)
      .fields.filter((field) => field.description === '')
      .map((field) => `${command.name} --${field.flag}`),
  );
  expect(bare).toEqual([]);
});

test('every route has the path arguments of its command', () => {
  for (const { name, route, args } of commands) {
    for (const [, field = ''] of route?.path.matchAll(/\{(\w+)\}/g) ?? [])
      expect(Object.keys(args.shape), name).toContain(field);
  }
});
