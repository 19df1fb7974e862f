import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { storageRefusal, unreachable } from '../../../src/store/postgres/storage-errors.ts';
import { createDatabase } from '../../support/postgres.ts';

const PASSWORD = 'fake-password';

/** What a server says to whoever asks for TLS, and then nothing sensible. */
async function answering(first: string): Promise<string> {
  const server = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .once('data', () => {
        if (first === '') return;
        socket.write(first);
        socket.on('data', () => socket.end('no TLS at all'));
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const WAYS: readonly (readonly [what: string, host: () => Promise<string>, query: string, said: RegExp])[] = [
  ['nobody listens', async () => '127.0.0.1:1', '', /cannot be reached: nobody listens there; try again/],
  ['the host is unknown', async () => 'db.invalid', '', /cannot be reached: its host is unknown; try again/],
  ['nobody answers', () => answering(''), '', /cannot be reached: it does not answer; try again/],
  ['there is no TLS', () => answering('N'), '?sslmode=require', /it does not offer TLS, which the sslmode/],
  ['TLS is none', () => answering('S'), '?sslmode=verify-full', /its answer to TLS makes no sense\.$/],
  [
    'a certificate cannot be read',
    async () => '127.0.0.1:1',
    '?sslrootcert=/nowhere/ca.pem',
    /cannot be reached: the file \/nowhere\/ca\.pem cannot be read \(ENOENT\)\.$/,
  ],
];

test.each(WAYS)(
  'where %s, that is said',
  async (_, host, query, said) => {
    const url = `postgres://box:${PASSWORD}@${await host()}/box${query}`;
    const error: unknown = await openPostgres({ url }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'unavailable', message: expect.stringMatching(said) });
    expect(`${(error as Error).message} ${(error as Error).stack ?? ''}`).not.toContain(PASSWORD);
  },
  20_000,
);

test('that the address has no password is said', async () => {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  await expect(openPostgres({ url: database.as('postgres', '') })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(
      /it asks for a password, and its address has none|refused who connected: empty password/,
    ),
  });
});

test.each([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify the first certificate'],
  ['CERT_HAS_EXPIRED', 'certificate has expired'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', "Hostname/IP does not match certificate's altnames"],
])('a certificate that is not trusted is no passing trouble: %s', (code, message) => {
  const error = unreachable(Object.assign(new Error(message), { code }));
  expect(storageRefusal(error, 'postgres://h/box')).toMatchObject({
    code: 'unavailable',
    message:
      `The database postgres://h/box cannot be reached: its certificate is not trusted (${message}); ` +
      'see sslmode and sslrootcert of its address.',
  });
});
