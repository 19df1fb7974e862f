import { hash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/message.ts';
import { artifacts } from '../../src/domain/artifact.ts';
import { etagOf } from '../../src/domain/etag.ts';
import type { Product } from '../../src/domain/job.ts';
import type { Json } from '../../src/domain/json.ts';
import { deadLetters } from '../../src/domain/records.ts';
import { events, job, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { endTry } from '../support/tries.ts';

describe.each(DATABASES)('on %s', (_database, open) => {
  let h: Harness;
  beforeEach(async () => {
    h = await open();
  });
  afterEach(() => h.close());

  const run = (text: string, who = 'ana'): Promise<Answer> => h.run(who, text);
  const code = (answer: Answer) => answer.error?.code;
  const data = (answer: Answer) => answer.reply.data as Record<string, Json>;
  const sha = (text: string) => hash('sha256', text, 'hex');

  const written = (name: string, content: string): Product => ({
    name,
    kind: 'text',
    mediaType: 'text/plain',
    content,
  });
  const made = async (...products: Product[]) => {
    expect(await run('job run restart')).toMatchObject({ status: 'ok' });
    await endTry(h, { kind: 'done', result: {}, artifacts: products });
  };
  const VARIANTS = [written('a.txt', 'one'), written('b.txt', 'two')] as const;

  describe('what a job returns', () => {
    test('is kept as drafts in the transaction that ends it, and journalled without its content', async () => {
      await made(...VARIANTS, {
        name: 'c.json',
        kind: 'json',
        mediaType: 'application/json',
        content: '{"a":1}',
      });
      expect(await job(h)).toMatchObject({ state: 'succeeded' });
      expect(await rows(h, artifacts, { orderBy: [{ column: 'id' }] })).toMatchObject([
        {
          ref: 'ART-1',
          job: 'JOB-1',
          state: 'draft',
          content: 'one',
          size: 3,
          sha256: sha('one'),
          createdBy: 'ana',
        },
        { ref: 'ART-2', content: 'two' },
        { ref: 'ART-3', kind: 'json', content: '{"a":1}' },
      ]);
      const added = await events(h, /^artifact\.added$/);
      expect(added.map((e) => [e.target, e.details])).toContainEqual([
        'ART-1',
        { job: 'JOB-1', name: 'a.txt', kind: 'text', mediaType: 'text/plain', size: 3, sha256: sha('one') },
      ]);
      expect(added).toHaveLength(3);
      expect((await run('job show JOB-1')).reply.text).toContain(
        'made 3 artifacts: artifact list --job JOB-1',
      );
    });

    test('fails the report where it is beyond a bound or malformed, which is named; nothing of it is kept', async () => {
      await made(written('a.txt', 'fine'), written('big.txt', 'x'.repeat(1_000_001)));
      expect(await job(h)).toMatchObject({
        state: 'failed',
        error: 'big.txt: An artifact has at most 1000000 bytes; this has 1000001.',
      });
      expect(await rows(h, artifacts)).toEqual([]);
      expect(await rows(h, deadLetters)).toMatchObject([{ job: 'JOB-1', stage: 'report' }]);
      await made(...Array.from({ length: 21 }, () => written('a.txt', 'x')));
      expect((await job(h, 'JOB-2')).error).toContain('at most 20 artifacts; this made 21');
    });
  });

  describe('artifact list, show and export', () => {
    beforeEach(() => made(...VARIANTS));

    test('list the variants of a job, and by state, in pages', async () => {
      await made(written('c.txt', 'three'));
      const ids = (answer: Answer) => (data(answer)['items'] as { id: string }[]).map(({ id }) => id);
      expect(ids(await run('artifact list'))).toEqual(['ART-3', 'ART-2', 'ART-1']);
      expect(ids(await run('artifact list --job JOB-1'))).toEqual(['ART-2', 'ART-1']);
      await run('artifact accept ART-2');
      expect(ids(await run('artifact list --job JOB-1 --state draft'))).toEqual(['ART-1']);
      const page = await run('artifact list --limit 2');
      expect(data(page)['next']).toBe('ART-2');
      expect(ids(await run('artifact list --limit 2 --before ART-2'))).toEqual(['ART-1']);
      expect((await run('artifact list --job JOB-9')).reply.text).toBe('No such artifacts.');
    });

    test('show says what it is and how it begins, and leaves the content to export', async () => {
      const shown = await run('artifact show ART-1');
      expect(shown.reply.text).toBe(
        `ART-1 [draft] a.txt · text/plain · 3 bytes · JOB-1\nsha256 ${sha('one')}\none`,
      );
      expect(data(shown)).toMatchObject({
        id: 'ART-1',
        version: 1,
        size: 3,
        state: 'draft',
        decidedBy: null,
      });
      expect(data(shown)).not.toHaveProperty('content');
      expect((await run('artifact export ART-1')).reply).toEqual({
        text: 'one',
        data: {
          id: 'ART-1',
          name: 'a.txt',
          mediaType: 'text/plain',
          encoding: 'utf8',
          content: 'one',
          sha256: sha('one'),
        },
      });
      expect(code(await run('artifact show ART-9'))).toBe('not_found');
    });

    test('export of a file says where to get it on channels that show text', async () => {
      await made({ name: 'a.bin', kind: 'file', mediaType: 'application/octet-stream', content: 'AAEC' });
      expect((await run('artifact export ART-3')).reply).toMatchObject({
        text: expect.stringContaining('GET /v1/artifacts/ART-3/content sends it.'),
        data: { encoding: 'base64', content: 'AAEC' },
      });
    });

    test('export sends what is too long for a message over REST only', async () => {
      await made(written('long.txt', 'x'.repeat(200_000)));
      const answer = await run('artifact export ART-3');
      expect(code(answer)).toBe('too_large');
      expect(answer.reply.text).toContain('GET /v1/artifacts/ART-3/content');
      expect((await h.run('ana', 'artifact export ART-3', { channel: 'rest' })).reply.text).toHaveLength(
        200_000,
      );
      expect((await run('artifact show ART-3')).reply.text.length).toBeLessThan(3_000);
    });
  });

  describe('artifact edit', () => {
    beforeEach(() =>
      made(...VARIANTS, { name: 'c.json', kind: 'json', mediaType: 'application/json', content: '{}' }),
    );

    test('replaces the content of a draft, with its size and SHA-256', async () => {
      expect((await run('artifact edit ART-1 --content "three"')).reply.text).toBe('ART-1 has 5 bytes now.');
      expect((await rows(h, artifacts, { where: { ref: 'ART-1' } }))[0]).toMatchObject({
        content: 'three',
        size: 5,
        sha256: sha('three'),
        updatedBy: 'ana',
      });
      expect((await events(h, /^artifact\.edited$/))[0]?.details).toEqual({
        job: 'JOB-1',
        size: 5,
        sha256: sha('three'),
        from: sha('one'),
      });
    });

    test('leaves size and SHA-256 in the journal, not the content', async () => {
      await run('artifact edit ART-1 --content "nobody else’s business"');
      await run('artifact edit ART-1 --content "nobody else’s business"', 'vic');
      expect(JSON.stringify(await h.entries())).not.toContain('business');
      const said = (await events(h, /^command\./)).filter(({ target }) => target === 'artifact.edit');
      expect(said.map(({ event, details }) => [event, details['args']])).toEqual([
        ['command.accepted', { id: 'ART-1', content: { size: 24, sha256: sha('nobody else’s business') } }],
        ['command.denied', { id: 'ART-1', content: { size: 24, sha256: sha('nobody else’s business') } }],
      ]);
    });

    test('is refused for what somebody changed in between, and for JSON that is none', async () => {
      const seen = etagOf(data(await run('artifact show ART-1')));
      const edit = (content: string) =>
        h.run('ana', { command: 'artifact.edit', args: { id: 'ART-1', content } }, { ifMatch: seen });
      expect((await edit('mine')).status).toBe('ok');
      expect(code(await edit('yours'))).toBe('stale');
      const broken = await h.run('ana', { command: 'artifact.edit', args: { id: 'ART-3', content: '{"a"' } });
      expect(broken).toMatchObject({
        error: { code: 'invalid_argument' },
        reply: { text: 'content: expected JSON of at most 64 levels.' },
      });
      expect((await rows(h, artifacts, { where: { ref: 'ART-3' } }))[0]).toMatchObject({
        content: '{}',
        version: 1,
      });
    });
  });

  describe('artifact accept and reject', () => {
    beforeEach(() => made(...VARIANTS));

    test('accepting one leaves the others as drafts', async () => {
      expect((await run('artifact accept ART-1')).reply.text).toBe('ART-1 is accepted.');
      expect(await rows(h, artifacts, { orderBy: [{ column: 'id' }] })).toMatchObject([
        { state: 'accepted', decidedBy: 'ana', decidedAt: h.clock.now() },
        { state: 'draft', decidedBy: null },
      ]);
      expect((await events(h, /^artifact\.accepted$/))[0]).toMatchObject({
        target: 'ART-1',
        details: { job: 'JOB-1', name: 'a.txt', size: 3, sha256: sha('one') },
      });
    });

    test('what is decided stays as it is', async () => {
      await run('artifact accept ART-1');
      await run('artifact reject ART-2 --reason "too short"');
      expect((await events(h, /^artifact\.rejected$/))[0]?.details).toMatchObject({ reason: 'too short' });
      for (const text of [
        'edit ART-1 --content x',
        'accept ART-1',
        'reject ART-1',
        'edit ART-2 --content x',
        'accept ART-2',
      ])
        expect(code(await run(`artifact ${text}`)), text).toBe('conflict');
      expect((await run('artifact accept ART-1')).reply.text).toBe(
        'ART-1 was accepted by ana, so it cannot be accepted.',
      );
    });

    test('the database itself refuses to change or remove what was accepted', async () => {
      await run('artifact accept ART-1');
      const [row] = await rows(h, artifacts, { where: { ref: 'ART-1' } });
      if (!row) throw new Error('no ART-1');
      const change = h.store.transaction('main', (tx) => tx.update(artifacts, row, { content: 'other' }));
      await expect(change).rejects.toThrow('immutable');
      const removal = h.store.transaction('main', (tx) => tx.remove(artifacts, { ref: 'ART-1' }));
      await expect(removal).rejects.toThrow('immutable');
      expect((await rows(h, artifacts, { where: { ref: 'ART-1' } }))[0]?.content).toBe('one');
    });

    test('take permissions of their own', async () => {
      for (const text of ['list', 'show ART-1', 'export ART-1', 'accept ART-1', 'reject ART-1'])
        expect(code(await run(`artifact ${text}`, 'vic')), text).toBe('forbidden');
    });
  });
});
