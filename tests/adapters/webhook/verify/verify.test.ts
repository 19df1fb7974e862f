import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { verifyGithub } from '../../../../adapters/webhook/verify/github.ts';
import { verifyGitlab } from '../../../../adapters/webhook/verify/gitlab.ts';
import { hmacVerifier } from '../../../../adapters/webhook/verify/hmac.ts';
import type { Headers } from '../../../../adapters/webhook/verify/signature.ts';
import { verifyStandard } from '../../../../adapters/webhook/verify/standard.ts';
import { verifyStripe } from '../../../../adapters/webhook/verify/stripe.ts';

const NOW = new Date('2026-11-20T12:00:00Z');
const T = NOW.getTime() / 1_000;
const SECRET = "It's a Secret to Everybody";
const body = Buffer.from('Hello, World!');
const hex = (key: string | Buffer, text: string): string =>
  createHmac('sha256', key).update(text).digest('hex');
const base64 = (key: string | Buffer, text: string): string =>
  createHmac('sha256', key).update(text).digest('base64');
const heads = (values: Record<string, string | string[]>): Headers =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value].flat()]));

describe('github', () => {
  const vector = '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  const good = {
    'x-hub-signature-256': `sha256=${vector}`,
    'x-github-delivery': 'd1',
    'x-github-event': 'push',
  };

  test("the vendor's test vector", () => {
    expect(verifyGithub(heads(good), body, [SECRET])).toEqual({ delivery: 'd1', event: 'push' });
  });

  test('either secret during a rotation', () => {
    expect(verifyGithub(heads(good), body, ['new', SECRET])).toMatchObject({ delivery: 'd1' });
  });

  test.each([
    ['another body', good, Buffer.from('Hello, World?'), [SECRET]],
    ['no secret', good, body, []],
    ['another secret', good, body, ['x']],
    ['no signature', { ...good, 'x-hub-signature-256': [] }, body, [SECRET]],
    ['a short signature', { ...good, 'x-hub-signature-256': 'sha256=75' }, body, [SECRET]],
    ['the SHA-1 scheme', { ...good, 'x-hub-signature-256': `sha1=${vector.slice(0, 40)}` }, body, [SECRET]],
    ['two signatures', { ...good, 'x-hub-signature-256': [`sha256=${vector}`, 'sha256=00'] }, body, [SECRET]],
    ['two deliveries', { ...good, 'x-github-delivery': ['d1', 'd2'] }, body, [SECRET]],
    ['two events', { ...good, 'x-github-event': ['push', 'ping'] }, body, [SECRET]],
  ])('refuses %s', (_what, headers, raw, secrets) => {
    expect(verifyGithub(heads(headers), raw, secrets)).toHaveProperty('refused');
  });
});

describe('standard and gitlab', () => {
  const key = Buffer.from('fake-test-key-0123456789');
  const secret = `whsec_${key.toString('base64')}`;
  const sign = (time: number, by: string | Buffer = key): string =>
    `v1,${base64(by, `m1.${time}.Hello, World!`)}`;
  const headers = (time: number, signature = sign(time)): Headers =>
    heads({ 'webhook-id': 'm1', 'webhook-timestamp': String(time), 'webhook-signature': signature });

  test('accepts within 300 s, either way', () => {
    for (const time of [T, T - 300, T + 300])
      expect(verifyStandard(headers(time), body, [secret], NOW)).toEqual({ delivery: 'm1' });
  });

  test('accepts one of several signatures and secrets', () => {
    const several = headers(T, `v1a,xx v1,${base64('other', 'x')} ${sign(T)}`);
    expect(verifyStandard(several, body, ['whsec_b3RoZXI=', secret], NOW)).toEqual({ delivery: 'm1' });
  });

  test('a secret without prefix signs as its bytes or as its text', () => {
    const bare = key.toString('base64');
    expect(verifyStandard(headers(T), body, [bare], NOW)).toEqual({ delivery: 'm1' });
    expect(verifyStandard(headers(T, sign(T, bare)), body, [bare], NOW)).toEqual({ delivery: 'm1' });
  });

  test.each([
    ['stale', headers(T - 301)],
    ['from the future', headers(T + 301)],
    [
      'a time that is no number',
      heads({ 'webhook-id': 'm1', 'webhook-timestamp': 'now', 'webhook-signature': sign(T) }),
    ],
    ['another version', headers(T, sign(T).replace('v1,', 'v2,'))],
    ['a time that was moved', headers(T, sign(T - 1_000))],
    ['no header', heads({})],
  ])('refuses %s', (_what, given) => {
    expect(verifyStandard(given, body, [secret], NOW)).toHaveProperty('refused');
  });

  test('an undecodable secret is not an empty key', () => {
    expect(verifyStandard(headers(T, sign(T, '')), body, ['whsec_', 'whsec_!!!', ''], NOW)).toHaveProperty(
      'refused',
    );
  });

  // Lenient base64 would make these one byte, nothing, or something that everybody can guess.
  test.each(['whsec_AA==', 'whsec_b3RoZXI=', `${secret}!`, `whsec_ ${key.toString('base64')}`])(
    '%s is no key',
    (wrong) => {
      const lenient = Buffer.from(wrong.slice(6), 'base64');
      expect(verifyStandard(headers(T, sign(T, lenient)), body, [wrong], NOW)).toEqual({
        refused: expect.stringContaining('no secret is usable'),
      });
    },
  );

  test('a text that is no long base64 is a key as the text alone', () => {
    for (const text of ['A!', 'AAAA', "it's a fake test secret"]) {
      const lenient = Buffer.from(text, 'base64');
      expect(verifyStandard(headers(T, sign(T, lenient)), body, [text], NOW), text).toHaveProperty('refused');
      expect(verifyStandard(headers(T, sign(T, text)), body, [text], NOW), text).toEqual({ delivery: 'm1' });
    }
  });

  test('base64 may come without its padding', () => {
    const long = Buffer.from('fake-test-key-01');
    const bare = `whsec_${long.toString('base64').replaceAll('=', '')}`;
    expect(verifyStandard(headers(T, sign(T, long)), body, [bare], NOW)).toEqual({ delivery: 'm1' });
  });

  test('gitlab names the event and never falls back to X-Gitlab-Token', () => {
    const event = heads({ 'x-gitlab-event': 'Push Hook', 'x-gitlab-token': secret });
    expect(verifyGitlab({ ...headers(T), ...event }, body, [secret], NOW)).toEqual({
      delivery: 'm1',
      event: 'Push Hook',
    });
    expect(verifyGitlab(event, body, [secret], NOW)).toHaveProperty('refused');
  });
});

describe('stripe', () => {
  const sign = (time: number): string => hex('whsec_fake', `${time}.Hello, World!`);
  const check = (value: string | string[], secrets = ['whsec_fake']): object =>
    verifyStripe(heads({ 'stripe-signature': value }), body, secrets, NOW);

  test('accepts any v1', () => {
    expect(check(`t=${T},v1=${sign(T)}`)).toEqual({});
    expect(check(`t=${T},v1=${'0'.repeat(64)},v1=${sign(T)},v0=zz`, ['old', 'whsec_fake'])).toEqual({});
  });

  test.each([
    ['stale', `t=${T - 301},v1=${sign(T - 301)}`],
    ['from the future', `t=${T + 301},v1=${sign(T + 301)}`],
    ['only v0', `t=${T},v0=${sign(T)}`],
    ['two times', `t=${T},t=${T - 1},v1=${sign(T)}`],
    ['two headers', [`t=${T},v1=${sign(T)}`, `t=${T},v1=${sign(T)}`]],
    ['garbage', '=,=;t'],
    ['nothing', []],
  ])('refuses %s', (_what, value) => {
    expect(check(value)).toHaveProperty('refused');
  });
});

describe('hmac', () => {
  const digest = hex('fake', 'Hello, World!');
  const check = (headers: Record<string, string | string[]>, verify = hmacVerifier()): object =>
    verify(heads(headers), body, ['fake'], NOW);

  test('with and without prefix; the delivery is the body itself', () => {
    const proof = check({ 'x-signature-256': digest });
    expect(proof).toEqual({ delivery: 'dffd6021bb2bd5b0af676290809ec3a53191dd81c7f70a4b28688a362182986f' });
    expect(check({ 'x-signature-256': `sha256=${digest.toUpperCase()}` })).toEqual(proof);
  });

  test('headers of the operator’s choice', () => {
    const verify = hmacVerifier('X-My-Sig', 'X-My-Id');
    expect(check({ 'x-my-sig': digest, 'x-my-id': '7' }, verify)).toEqual({ delivery: '7' });
    const incomplete = { incomplete: expect.stringContaining('X-My-Id') };
    expect(check({ 'x-my-sig': digest }, verify)).toEqual(incomplete);
    expect(check({ 'x-my-sig': digest, 'x-my-id': ['7', '8'] }, verify)).toEqual(incomplete);
    expect(check({ 'x-my-sig': '0'.repeat(64) }, verify)).toHaveProperty('refused');
    expect(check({ 'x-signature-256': digest, 'x-my-id': '7' }, verify)).toHaveProperty('refused');
  });

  test('a time that is sent has to be recent', () => {
    const at = (time: number | string): object =>
      check({ 'x-signature-256': digest, 'x-timestamp': String(time) });
    expect(at(T - 300)).not.toHaveProperty('refused');
    for (const time of [T - 301, T + 301, 'soon', '']) expect(at(time)).toHaveProperty('refused');
  });
});
