import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditCommands } from '../../commands/audit/index.ts';
import { commands } from '../../commands/index.ts';
import { keyCommands } from '../../commands/key/index.ts';
import { personCommands } from '../../commands/person/index.ts';
import { roleCommands } from '../../commands/role/index.ts';
import { sessionCommands } from '../../commands/session/index.ts';
import { subscriptionCommands } from '../../commands/subscription.ts';
import { taskCommands } from '../../commands/task/index.ts';
import { specOf } from '../../src/core/language/fields.ts';
import type { Harness } from '../support/harness.ts';
import { seeded } from './seed.ts';

const own = [
  ...taskCommands,
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

describe('every example', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await seeded();
  });
  afterEach(() => harness.close());

  for (const { command, example } of own.flatMap((command) =>
    command.examples.map((example) => ({ command, example })),
  )) {
    test(`${example.text}`, async () => {
      const context = { now: harness.clock.now(), who: 'ana' };
      const read = await harness.language.read({ text: example.text }, context);
      expect(read.invocation).toEqual(example.json);
      expect((await harness.language.read(example.json, context)).args).toEqual(read.args);
      const shown = harness.language.format(example.json);
      expect((await harness.language.read({ text: shown }, context)).invocation).toEqual(example.json);
      if (example.says !== undefined)
        expect((await harness.language.read({ text: example.says }, context)).invocation).toEqual(
          example.json,
        );

      const { who, say } = BEFORE[example.text] ?? { who: 'ana', say: undefined };
      if (say !== undefined) await harness.run(who, say);
      const answer = await harness.run(who, example.text);
      expect(answer.reply.text).not.toBe('');
      expect(answer, answer.reply.text).toMatchObject({ status: 'ok' });
      expect(command.summary).toMatch(/[.]$/);
    });
  }
});

test('every argument of every command is described', () => {
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
