import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  allOf,
  covers,
  decide,
  isApprover,
  partsOf,
  type ApprovalPolicy,
  type Vote,
} from '../../src/domain/approval.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Principal } from '../../src/domain/principal.ts';

const NOW = new Date('2026-03-02T09:00:00Z');
const LATER = new Date('2026-03-02T10:00:00Z');
const DIGEST = 'd'.repeat(64);

const principal = (name: string, over: Partial<Principal> = {}): Principal => ({
  name,
  kind: 'person',
  display: name,
  roles: ['approver'],
  permissions: [],
  scopes: ['*'],
  ...over,
});
const policy = (over: Partial<ApprovalPolicy> = {}): ApprovalPolicy => ({
  quorum: 2,
  roles: ['approver'],
  persons: [],
  timeout: 3_600_000,
  ...over,
});
const request = (over: Partial<Parameters<typeof decide>[0]> = {}): Parameters<typeof decide>[0] => ({
  ref: 'APR-1',
  state: 'pending',
  policy: policy(),
  chain: ['ana'],
  digest: DIGEST,
  expiresAt: LATER,
  ...over,
});
const vote = (who: Principal, over: Partial<Vote> = {}): Vote => ({
  who,
  decision: 'approve',
  reason: undefined,
  digest: undefined,
  ...over,
});
const all = () => true;

function refusal(...args: Parameters<typeof decide>): string {
  try {
    return decide(...args);
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe('who is asked', () => {
  test.each([
    ['a person with the role', principal('ben'), true],
    ['a person named', principal('dee', { roles: [] }), true],
    ['another person', principal('eve', { roles: [] }), false],
    ['an agent with the role', principal('bot', { kind: 'agent' }), false],
    ['an agent of a named person’s name', principal('dee', { kind: 'agent', roles: [] }), false],
    ['a source', principal('source:ci', { kind: 'source' }), false],
  ])('%s', (_, who, asked) => {
    expect(isApprover(policy({ persons: ['dee'] }), who)).toBe(asked);
  });
});

describe('what a vote meets', () => {
  const ben = principal('ben');
  test.each<[string, Parameters<typeof decide>, string]>([
    ['the first of two', [request(), [], all, vote(ben), NOW], 'pending'],
    [
      'the second of two',
      [request(), [{ voter: 'cho', decision: 'approve' }], all, vote(ben), NOW],
      'approved',
    ],
    ['the only one', [request({ policy: policy({ quorum: 1 }) }), [], all, vote(ben), NOW], 'approved'],
    ['a denial', [request(), [], all, vote(ben, { decision: 'deny', reason: 'no' }), NOW], 'denied'],
    [
      'a denial without a reason',
      [request(), [], all, vote(ben, { decision: 'deny' }), NOW],
      'invalid_argument',
    ],
    [
      'a denial with an empty reason',
      [request(), [], all, vote(ben, { decision: 'deny', reason: ' \n' }), NOW],
      'invalid_argument',
    ],
    ['the requester', [request(), [], all, vote(principal('ana')), NOW], 'forbidden'],
    ['anybody in the chain', [request({ chain: ['ana', 'ben'] }), [], all, vote(ben), NOW], 'forbidden'],
    [
      'the requester who denies',
      [request(), [], all, vote(principal('ana'), { decision: 'deny' }), NOW],
      'forbidden',
    ],
    ['an agent', [request(), [], all, vote(principal('bot', { kind: 'agent' })), NOW], 'forbidden'],
    [
      'a person who is not asked',
      [request(), [], all, vote(principal('eve', { roles: [] })), NOW],
      'forbidden',
    ],
    ['a second vote', [request(), [{ voter: 'ben', decision: 'approve' }], all, vote(ben), NOW], 'conflict'],
    ['another digest', [request(), [], all, vote(ben, { digest: 'e'.repeat(64) }), NOW], 'conflict'],
    ['the digest', [request(), [], all, vote(ben, { digest: DIGEST }), NOW], 'pending'],
    ['the very instant of expiry', [request(), [], all, vote(ben), LATER], 'conflict'],
    ['a request that is over', [request({ state: 'approved' }), [], all, vote(ben), NOW], 'conflict'],
    [
      'an earlier voter who may no longer',
      [request(), [{ voter: 'cho', decision: 'approve' }], () => false, vote(ben), NOW],
      'pending',
    ],
  ])('%s', (_, args, outcome) => {
    expect(refusal(...args)).toBe(outcome);
  });
});

/** Persons, a program, and whether each is asked; ana asks. */
const CAST = ['ana', 'ben', 'cho', 'dee', 'eve', 'bot'] as const;
type Name = (typeof CAST)[number];
const castOf = (name: Name, approvers: ReadonlySet<Name>): Principal =>
  principal(name, {
    kind: name === 'bot' ? 'agent' : 'person',
    roles: approvers.has(name) ? ['approver'] : [],
  });

interface Step {
  readonly by: Name;
  readonly does: 'approve' | 'deny' | 'lose' | 'gain';
}

/** The same rules, told as sets: the first denial denies, `quorum` distinct approvers who still are approve. */
function model(quorum: number, first: ReadonlySet<Name>, steps: readonly Step[]): string {
  const approvers = new Set(first);
  const voted = new Set<Name>();
  for (const { by, does } of steps) {
    if (does === 'lose') approvers.delete(by);
    else if (does === 'gain') approvers.add(by);
    else if (approvers.has(by) && !['ana', 'bot'].includes(by) && !voted.has(by)) {
      if (does === 'deny') return 'denied';
      voted.add(by);
      if ([...voted].filter((name) => approvers.has(name)).length >= quorum) return 'approved';
    }
  }
  return 'pending';
}

test('property: whatever votes come from whomever, while roles come and go, the model agrees', () => {
  const step = fc.record({
    by: fc.constantFrom(...CAST),
    does: fc.constantFrom<Step['does'][]>('approve', 'approve', 'deny', 'lose', 'gain'),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.subarray([...CAST]),
      fc.array(step, { maxLength: 30 }),
      (quorum, first, steps) => {
        const approvers = new Set<Name>(first);
        const standing: { voter: Name; decision: 'approve' | 'deny' }[] = [];
        let state: Parameters<typeof decide>[0]['state'] = 'pending';
        for (const { by, does } of steps) {
          if (does === 'lose') approvers.delete(by);
          else if (does === 'gain') approvers.add(by);
          else {
            const reason = does === 'deny' ? 'because' : undefined;
            const cast = vote(castOf(by, approvers), { decision: does, reason });
            const asked = request({ state, policy: policy({ quorum }) });
            try {
              state = decide(asked, standing, (name) => approvers.has(name as Name), cast, NOW);
              standing.push({ voter: by, decision: does });
            } catch (error) {
              expect(error).toBeInstanceOf(Refusal);
            }
          }
        }
        expect(state).toBe(model(quorum, new Set(first), steps));
        expect(new Set(standing.map((v) => v.voter)).size).toBe(standing.length);
      },
    ),
    { numRuns: 1_000 },
  );
});

describe('several policies at once', () => {
  const ops = policy({ quorum: 1, roles: ['approver'] });
  const money = policy({ quorum: 1, roles: ['finance'], timeout: 60_000 });
  const both = allOf([ops, money]) as ApprovalPolicy;
  const [ben, fay] = [principal('ben'), principal('fay', { roles: ['finance'] })];
  const gus = principal('gus', { roles: ['finance', 'approver'] });

  test('are one that names both, within the shorter time', () => {
    expect(partsOf(both).map(({ roles }) => roles)).toEqual([['approver'], ['finance']]);
    expect(both.timeout).toBe(60_000);
    for (const who of [ben, fay, gus]) expect(isApprover(both, who), who.name).toBe(true);
    expect(isApprover(both, principal('eve', { roles: [] }))).toBe(false);
    expect(allOf([])).toBeUndefined();
    expect(allOf([ops])).toEqual(ops);
  });

  test('of the same people are the stricter of the two', () => {
    expect(allOf([ops, policy({ quorum: 2 })])).toEqual(policy({ quorum: 2 }));
  });

  test('are met when each is; one vote counts for all that name its voter', () => {
    const asked = request({ policy: both });
    const agreed = (name: string) => ({ voter: name, decision: 'approve' as const });
    const named = (name: string, { roles }: ApprovalPolicy) =>
      [ben, fay, gus].some((who) => who.name === name && who.roles.some((role) => roles.includes(role)));
    expect(decide(asked, [], named, vote(ben), NOW)).toBe('pending');
    expect(decide(asked, [agreed('ben')], named, vote(fay), NOW)).toBe('approved');
    expect(decide(asked, [agreed('fay')], named, vote(ben), NOW)).toBe('approved');
    expect(decide(asked, [], named, vote(gus), NOW)).toBe('approved');
    expect(
      decide(
        request({ policy: allOf([policy({ quorum: 2 }), money]) as ApprovalPolicy }),
        [agreed('fay')],
        named,
        vote(ben),
        NOW,
      ),
    ).toBe('pending');
    expect(decide(asked, [agreed('ben')], named, vote(fay, { decision: 'deny', reason: 'no' }), NOW)).toBe(
      'denied',
    );
  });

  test('cover what asks for no more of the same people', () => {
    expect(covers(both, money)).toBe(true);
    expect(covers(both, both)).toBe(true);
    expect(covers(both, ops)).toBe(true);
    expect(covers(ops, both)).toBe(false);
    expect(covers(both, policy({ quorum: 2 }))).toBe(false);
    expect(covers(policy({ quorum: 2 }), ops)).toBe(true);
  });
});
