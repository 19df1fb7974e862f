import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import type { Claim } from '../../src/core/jobs/remote-claim.ts';
import { report } from '../../src/core/jobs/remote-report.ts';
import { measureAll, MEDIA_TYPES } from '../../src/domain/artifact.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { PASSES, type FailureClass } from '../../src/domain/failure.ts';
import { MOST_RESULT, type Outcome, type Product } from '../../src/domain/job.ts';
import { isObject, type JsonObject } from '../../src/domain/json.ts';
import { readUsage } from '../../src/domain/usage.ts';
import { ref } from '../shared/fields.ts';

/** What a worker can know of a failure; that it was lost, or that something here is at fault, is not for it to say. */
const SAID = [
  'refused',
  'server',
  'network',
  'timeout',
  'rate_limited',
] as const satisfies readonly FailureClass[];
/** Bytes, as JSON: all that a run may make, as files in base64. */
const MOST_BODY = 8 * 1024 * 1024;

export const claim = z.string().min(1).max(64).describe('The claim, as `job claim` gave it');
const json = z.record(z.string(), z.json()).meta({ kind: 'json' });
const usage = json.optional().describe('What it used: units by name, and `cost` in the currency');

/** The claim that the caller speaks of. */
export const named = (ctx: Ctx, { id, claim: token }: { id: string; claim: string }): Claim => ({
  worker: ctx.who.name,
  ref: id,
  claim: token,
});

const jobComplete = command({
  name: 'job.complete',
  summary: 'Say that a claimed job is done, with what came of it.',
  args: z.object({
    id: ref('The job'),
    claim,
    result: json.default({}).describe('What came of it'),
    usage,
    artifacts: z
      .array(
        z.strictObject({
          name: z.string().max(200),
          kind: z.enum(['text', 'json', 'file']).default('text'),
          mediaType: z.string().max(150).optional(),
          content: z.string(),
        }),
      )
      .max(20)
      .default([])
      .meta({ kind: 'json' })
      .describe('What it made: name, kind (text, json or file), mediaType, content (a file in base64)'),
  }),
  positional: ['id', 'claim'],
  bulky: ['result', 'artifacts'],
  needs: 'job:work',
  risk: 'write',
  route: { method: 'post', path: '/v1/jobs/{id}/complete', maxBody: MOST_BODY },
  examples: [
    {
      text: 'job complete JOB-5 1 --result.frames=240',
      json: { command: 'job.complete', args: { id: 'JOB-5', claim: '1', result: { frames: 240 } } },
    },
  ],
  async run(ctx, { result, usage: used, artifacts, ...args }) {
    checkResult(result);
    const products = artifacts.map(product);
    // Here its worker can still mend what is wrong with them.
    measureAll(products);
    const outcome = {
      kind: 'done',
      result,
      ...usageOf(used),
      ...(products.length > 0 && { artifacts: products }),
    } satisfies Outcome;
    return report(ctx, named(ctx, args), { outcome, word: 'done' });
  },
});

const jobFail = command({
  name: 'job.fail',
  summary: 'Say that a claimed job failed, or that it was stopped as asked.',
  args: z.object({
    id: ref('The job'),
    claim,
    reason: z.string().trim().min(1).max(2_000).describe('Why, for those who asked for it'),
    failure: z.enum(SAID).default('refused').describe('What kind of failure; `refused` unless told'),
    retry: z.boolean().optional().describe('Whether another try may help; by its kind unless told'),
    result: json.optional().describe('What came of it all the same'),
    usage,
  }),
  positional: ['id', 'claim', 'reason'],
  bulky: ['result'],
  needs: 'job:work',
  risk: 'write',
  route: { method: 'post', path: '/v1/jobs/{id}/fail' },
  examples: [
    {
      text: 'job fail JOB-6 1 "the scene does not load"',
      json: { command: 'job.fail', args: { id: 'JOB-6', claim: '1', reason: 'the scene does not load' } },
    },
  ],
  async run(ctx, { reason, failure, retry = PASSES[failure], result, usage: used, ...args }) {
    if (result) checkResult(result);
    const said = { reason, failure, ...usageOf(used) };
    const outcome = retry
      ? ({ kind: 'retry', ...said } satisfies Outcome)
      : ({ kind: 'fail', ...said, ...(result && { result }) } satisfies Outcome);
    return report(ctx, named(ctx, args), { outcome, word: failure });
  },
});

export const reportCommands = [jobComplete, jobFail] as const;

/** @throws Refusal `too_large`. */
function checkResult(result: JsonObject): void {
  const text = JSON.stringify(result);
  if (text.length > MOST_RESULT)
    throw new Refusal(
      'too_large',
      `result: expected at most ${MOST_RESULT} characters as JSON, got ${text.length}.`,
    );
}

const usageOf = (used: unknown) => (isObject(used) ? { usage: readUsage(used) } : {});

const product = (given: Omit<Product, 'mediaType'> & { mediaType?: string | undefined }): Product => ({
  ...given,
  mediaType: given.mediaType ?? MEDIA_TYPES[given.kind],
});
