import { createHmac } from 'node:crypto';
import { HttpConnection, post } from './http.ts';
import { measure, type Measured } from './measure.ts';

/** `$n` in body and headers becomes the number of the request. */
export interface HttpJob {
  readonly kind: 'http';
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Signs the body: `X-Signature-256`, in hex. */
  readonly secret?: string;
  readonly connections: number;
  readonly seconds: number;
  /** Of the first request; so that no two measurements send the same key. */
  readonly first: number;
}

/** Keeps that many connections busy. */
export async function measureHttp(job: HttpJob): Promise<Measured> {
  let n = job.first;
  const connections = await Promise.all(
    Array.from({ length: job.connections }, () => HttpConnection.open(job.port)),
  );
  const measured = await measure(
    job.seconds,
    connections.map((connection) => () => connection.send(requestOf(job, n++))),
  );
  for (const connection of connections) connection.close();
  return measured;
}

function requestOf({ path, headers, body, secret }: HttpJob, n: number): string {
  const numbered = body.replaceAll('$n', String(n));
  const own = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replaceAll('$n', String(n))]),
  );
  if (secret === undefined) return post(path, own, numbered);
  const signature = createHmac('sha256', secret).update(numbered).digest('hex');
  return post(path, { ...own, 'X-Signature-256': signature }, numbered);
}
