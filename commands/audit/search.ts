import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { mayRead, topicMatches } from '../../src/core/feed.ts';
import { clip } from '../../src/domain/clip.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { journal, published, type JournalEntry } from '../../src/domain/journal.ts';
import { date, limit, principal } from '../shared/fields.ts';
import { entryOf, firstSince, head } from './entries.ts';

/** How many entries one search looks at; then it says where to go on. */
const MOST_SCANNED = 5_000;
const PAGE = 500;

const args = z.object({
  event: z.string().max(80).optional().describe('Only these events: task.created, job.*, command.denied'),
  actor: principal('Only what this one did').optional(),
  target: z.string().max(200).optional().describe('Only what happened to this: TSK-12, JOB-3, a name'),
  since: date('Not before').optional(),
  until: date('Before').optional(),
  before: z.int().min(1).optional().describe('Where the page before ended: its `next`'),
  limit: limit(200, 50),
});

type Args = z.output<typeof args>;

export const auditSearch = command({
  name: 'audit.search',
  summary: 'Search the journal, the newest first.',
  args,
  positional: ['event'],
  needs: 'audit:read',
  risk: 'read',
  examples: [
    {
      text: 'audit search task.* --actor ana --limit 20',
      json: { command: 'audit.search', args: { event: 'task.*', actor: 'ana', limit: 20 } },
    },
    { text: 'audit search --target TSK-1', json: { command: 'audit.search', args: { target: 'TSK-1' } } },
  ],
  async run(ctx, given) {
    const { event } = given;
    if (event !== undefined && !/^(\*|[a-z_]+\.(\*|[a-z_]+))$/.test(event))
      throw new Refusal(
        'invalid_argument',
        `event: expected one such as task.created, job.* or *, got "${event}".`,
      );
    const { entries, next } = await search(ctx, given);
    const lines = entries.map(line);
    const more = next === null ? [] : [`Older: audit search … --before ${next}`];
    const text = [...(lines.length === 0 ? ['No such entries here.'] : lines), ...more].join('\n');
    return { text, data: { items: entries.map((e): JsonObject => published(e)), next } };
  },
});

/** Characters of an entry's details in a line; the data has them whole. */
const SHORT = 160;

/** What happened, where it came from and why it was refused, then as much of the other details as fits. */
function line({ seq, at, actor, event, target, details }: JournalEntry): string {
  const { channel, reason, ...others } = details;
  const facts = [channel, reason].filter((fact) => typeof fact === 'string');
  for (const [name, value] of Object.entries(others))
    if (value !== null) facts.push(`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const text = facts.join(' · ').replaceAll(/\s+/g, ' ');
  const short = clip(text, SHORT);
  return [`${seq} ${at} ${actor} ${event} ${target}`, ...(short === '' ? [] : [short])].join(' · ');
}

/** Walks back from `until` to `since`, keeps what matches and may be read, and stops at the limit. */
async function search(ctx: Ctx, given: Args): Promise<{ entries: JournalEntry[]; next: number | null }> {
  const { actor, target, limit: most } = given;
  const first = given.since === undefined ? 1 : await firstSince(ctx, new Date(given.since));
  const end =
    given.until === undefined ? (await head(ctx)) + 1 : await firstSince(ctx, new Date(given.until));
  const entries: JournalEntry[] = [];
  let below = Math.min(end, given.before ?? end);
  // A target has an index of its own; without one, the stretch that is looked at is bounded.
  const floor = target === undefined ? Math.max(first, below - MOST_SCANNED) : first;
  for (let scanned = 0; below > floor && scanned < MOST_SCANNED; ) {
    const page = await ctx.tx.find(journal, {
      where: { seq: { below, atLeast: floor }, ...(actor && { actor }), ...(target && { target }) },
      orderBy: [{ column: 'seq', descending: true }],
      limit: PAGE,
    });
    for (const row of page) {
      if (!wanted(ctx, given, row.event)) continue;
      entries.push(entryOf(ctx.tx.workspace, row));
      if (entries.length === most) return { entries, next: row.seq > first ? row.seq : null };
    }
    scanned += page.length;
    below = page.length < PAGE ? floor : (page.at(-1)?.seq ?? floor);
  }
  return { entries, next: below > first ? below : null };
}

function wanted(ctx: Ctx, { event }: Args, name: string): boolean {
  return (event === undefined || topicMatches(event, name)) && mayRead(ctx.who, name);
}
