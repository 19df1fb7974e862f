import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createKeyRing,
  JWKS_CACHE,
  makeRsaKey,
  ROTATE_EVERY,
  type KeyRing,
} from '../../src/core/tokens-keys.ts';
import { TOKEN_LIFE } from '../../src/core/tokens.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let harness: Harness;
let ring: KeyRing;
let made: number;
const ready = Promise.all([makeRsaKey(), makeRsaKey(), makeRsaKey()]);

beforeEach(async () => {
  harness = await createHarness();
  made = 0;
  ring = newRing();
});
afterEach(async () => {
  ring.stop();
  await harness.close();
});

/** Keys made beforehand, as making one takes a while. */
function newRing(): KeyRing {
  const { store, clock } = harness;
  const make = async () => {
    const key = (await ready)[made % 3];
    made += 1;
    if (key === undefined) throw new Error('no key');
    return key;
  };
  return createKeyRing({ store, clock, workspace: 'main', make });
}

const published = async () => (await ring.jwks()).keys.map((key) => key['kid']);

describe('the key ring', () => {
  test('makes its first key when it is first asked, once', async () => {
    const [a, b, c] = await Promise.all([ring.signer(), ring.signer(), ring.jwks()]);
    expect(a.kid).toBe(b.kid);
    expect(c.keys).toMatchObject([{ kty: 'RSA', kid: a.kid, use: 'sig', alg: 'RS256' }]);
    expect(made).toBe(1);
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi']) expect(c.keys[0]).not.toHaveProperty(secret);
    expect(await ring.publicKey(a.kid)).toMatchObject({ type: 'public' });
    expect(await ring.publicKey('unknown')).toBeUndefined();
  });

  test('publishes the next key before it signs and keeps the old one until its last token is over', async () => {
    const { kid: first } = await ring.signer();
    harness.clock.pass(ROTATE_EVERY - JWKS_CACHE - MINUTE);
    expect(await published()).toEqual([first]);

    harness.clock.pass(MINUTE);
    expect((await ring.signer()).kid).toBe(first);
    const [second] = await published();
    expect(await published()).toEqual([second, first]);

    harness.clock.pass(JWKS_CACHE);
    expect((await ring.signer()).kid).toBe(second);
    expect(await ring.publicKey(first)).toBeDefined();

    harness.clock.pass(TOKEN_LIFE + JWKS_CACHE - MINUTE);
    expect(await published()).toEqual([second, first]);
    harness.clock.pass(MINUTE);
    expect(await published()).toEqual([second]);
    expect(await ring.publicKey(first)).toBeUndefined();
  });

  test('rotates on demand, one coming key at a time', async () => {
    const { kid: first } = await ring.signer();
    await ring.rotate();
    await ring.rotate();
    expect(await published()).toHaveLength(2);
    expect((await ring.signer()).kid).toBe(first);
    harness.clock.pass(JWKS_CACHE);
    expect((await ring.signer()).kid).not.toBe(first);
  });

  test('is shared with another process on the same database', async () => {
    const twin = newRing();
    const [a, b] = await Promise.all([ring.signer(), twin.signer()]);
    expect(a.kid).toBe(b.kid);
    twin.stop();
  });

  test('signs again after a year of silence', async () => {
    const { kid: first } = await ring.signer();
    harness.clock.pass(12 * ROTATE_EVERY);
    expect((await ring.signer()).kid).not.toBe(first);
    expect(await published()).toHaveLength(1);
  });
});
