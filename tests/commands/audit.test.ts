import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditVerify } from '../../commands/audit/verify.ts';
import type { Answer } from '../../src/core/message.ts';
import { checkLink, GENESIS, type JournalEntry } from '../../src/domain/journal.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import type { Json } from '../../src/domain/json.ts';
import type { Harness } from '../support/harness.ts';
import { seeded } from './seed.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await seeded();
});
afterEach(() => harness.close());

const run = (text: string, who = 'ana'): Promise<Answer> => harness.run(who, text);
const data = (answer: Answer): Record<string, Json> => answer.reply.data as Record<string, Json>;
const found = (answer: Answer) =>
  data(answer)['items'] as { seq: number; event: string; actor: string; target: string }[];

describe('audit search', () => {
  test('finds by event, pattern, actor and target, the newest first', async () => {
    await run('task move TSK-1 claimed', 'dan');
    expect(found(await run('audit search task.moved'))).toMatchObject([{ actor: 'dan', target: 'TSK-1' }]);
    const tasks = found(await run('audit search task.*'));
    expect(tasks.map((e) => e.seq)).toEqual(tasks.map((e) => e.seq).toSorted((a, b) => b - a));
    expect(tasks.every((e) => e.event.startsWith('task.'))).toBe(true);
    expect(found(await run('audit search --actor dan')).every((e) => e.actor === 'dan')).toBe(true);
    expect(found(await run('audit search --target TSK-3')).map((e) => e.event)).toEqual([
      'task.depended',
      'task.created',
    ]);
    expect((await run('audit search nonsense')).error?.code).toBe('invalid_argument');
  });

  test('says in each line where it came from, why it was refused, and some of the rest', async () => {
    await run('task create "Lamp" --priority P0');
    await run('task create x', 'vic');
    const long = `comment ${'very '.repeat(100)}long`;
    await run(`task comment TSK-1 "${long}"`);
    const lines = (await run('audit search --limit 200')).reply.text.split('\n');
    const line = (event: string, word: string) =>
      lines.find((one) => one.includes(` ${event} `) && one.includes(word)) ?? '';
    expect(line('command.accepted', 'Lamp')).toMatch(
      /^\d+ \S+ ana command\.accepted task\.create · terminal · args=\{"priority":"P0","title":"Lamp"\} · /,
    );
    expect(line('command.denied', 'vic')).toContain(
      ' vic command.denied task.create · terminal · it needs the permission task:create · args=',
    );
    expect(line('command.accepted', 'very')).toMatch(/…$/);
    expect(Math.max(...lines.map((one) => one.length))).toBeLessThan(300);
  });

  test('goes on where a page ended', async () => {
    const all = found(await run('audit search --limit 200')).map((e) => e.seq);
    const seen: number[] = [];
    for (let before = ''; ; ) {
      const page = await run(`audit search --limit 7${before}`);
      seen.push(...found(page).map((e) => e.seq));
      const next = data(page)['next'];
      if (typeof next !== 'number') break;
      before = ` --before ${next}`;
    }
    expect(seen).toEqual(all);
  });

  test('keeps to since and until', async () => {
    harness.clock.pass(MINUTE);
    await run('task comment TSK-1 second');
    harness.clock.pass(MINUTE);
    await run('task comment TSK-1 third');
    const commented = async (flags: string) =>
      found(await run(`audit search task.commented ${flags}`)).length;
    expect(await commented('--since 2026-03-02T09:01:00Z')).toBe(2);
    expect(await commented('--until 2026-03-02T09:02:00Z')).toBe(1);
    expect(await commented('--since 2026-03-02T09:01:30Z --until 2026-03-02T09:01:40Z')).toBe(0);
    expect(await commented('--since 2027-01-01')).toBe(0);
  });

  test('shows only what the searcher may read', async () => {
    await run('role add halfblind audit:read !task:read');
    await run('person add eve --roles halfblind');
    const events = found(await run('audit search --limit 200', 'eve')).map((e) => e.event);
    expect(events).toContain('person.added');
    expect(events.some((event) => event.startsWith('task.'))).toBe(false);
    expect((await run('audit search', 'vic')).error?.code).toBe('forbidden');
  });
});

describe('audit export', () => {
  const lines = (answer: Answer) =>
    (data(answer)['jsonl'] as string)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as JournalEntry);

  test('gives pages that verify together, whatever details are withheld', async () => {
    await run('role add exporter audit:*');
    await run('person add eve --roles exporter');
    const entries: JournalEntry[] = [];
    for (let after = 0; ; ) {
      const page = await run(`audit export --after ${after} --limit 5`, 'eve');
      entries.push(...lines(page));
      const next = data(page)['next'];
      if (typeof next !== 'number') break;
      after = next;
    }
    let previous = GENESIS;
    for (const [i, entry] of entries.entries()) {
      expect(checkLink(entry, i + 1, previous)).toBeUndefined();
      previous = entry.hash;
    }
    expect(entries).toHaveLength((await harness.entries()).length);
    expect(entries.find((e) => e.event === 'task.created')).toMatchObject({ details: {}, salt: null });
    expect(entries.find((e) => e.event === 'person.added')?.details).toMatchObject({ kind: 'person' });
  });

  test('is the same as the store’s own history for whoever may read all', async () => {
    expect(lines(await run('audit export --limit 1000'))).toEqual(await harness.entries());
  });
});

describe('audit verify', () => {
  test('verifies the end, the whole and a stretch', async () => {
    const head = (await harness.entries()).length;
    expect(data(await run('audit verify'))).toMatchObject({ ok: true, from: 1, to: head, head, fault: null });
    expect(data(await run('audit verify --last 3'))).toMatchObject({ ok: true, from: head - 2, to: head });
    expect((await run('audit verify --after 2 --last 5')).reply.text).toContain(
      'Go on: audit verify --after 7',
    );
    expect((await run(`audit verify --after ${head}`)).reply.text).toContain('nothing');
  });
});

describe('audit verify of a journal that was tampered with', () => {
  /** The command over the journal as somebody changed it behind the store's back. */
  async function verify(change: (entries: JournalEntry[]) => JournalEntry[], after?: number) {
    const rows = change(await harness.entries()).map((e) => ({ ...e, at: new Date(e.at) }));
    const tx = {
      workspace: 'main',
      get: async (_: unknown, { seq }: { seq: number }) => rows.find((row) => row.seq === seq),
      find: async (
        _: unknown,
        query: { where?: { seq: { atLeast: number; atMost: number } }; limit: number },
      ) => {
        const { atLeast, atMost } = query.where?.seq ?? {
          atLeast: rows.at(-1)?.seq ?? 0,
          atMost: Number.MAX_SAFE_INTEGER,
        };
        return rows.filter((row) => row.seq >= atLeast && row.seq <= atMost).slice(0, query.limit);
      },
    };
    const ctx = { tx } as unknown as Parameters<typeof auditVerify.run>[0];
    const reply = await auditVerify.run(ctx, { last: 5_000, after: after ?? 0 });
    return (reply.data as { fault: { seq: number; reason: string } | null }).fault;
  }

  test.each<[string, (e: JournalEntry) => JournalEntry | undefined, string]>([
    ['another actor', (e) => ({ ...e, actor: 'eve' }), 'hash'],
    ['other details', (e) => ({ ...e, details: { title: 'harmless' } }), 'details'],
    ['another predecessor', (e) => ({ ...e, previous: GENESIS }), 'follow'],
    ['an entry less', () => undefined, 'missing'],
  ])('names the first broken entry: %s', async (_, change, reason) => {
    const fault = await verify((all) => all.flatMap((e) => (e.seq === 5 ? (change(e) ?? []) : [e])));
    expect(fault).toMatchObject({ seq: 5, reason: expect.stringContaining(reason) });
  });

  test('is quiet about an untouched one', async () => {
    expect(await verify((all) => all)).toBeNull();
    expect(await verify((all) => all.map((e) => ({ ...e, salt: null, details: {} })))).toBeNull();
  });
});
