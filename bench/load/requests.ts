import { createHmac } from 'node:crypto';
import { HttpConnection, post } from './http.ts';
import { measure, type Measured } from './measure.ts';
import { numbered, type Numbering } from './numbered.ts';

/** Body and headers are numbered. */
export interface HttpJob extends Numbering {
  readonly kind: 'http';
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Signs the body: `X-Signature-256`, in hex. */
  readonly secret?: string;
  readonly connections: number;
  readonly seconds: number;
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

function requestOf(job: HttpJob, n: number): string {
  const body = numbered(job.body, n, job);
  const headers = Object.fromEntries(
    Object.entries(job.headers).map(([name, value]) => [name, numbered(value, n, job)]),
  );
  if (job.secret === undefined) return post(job.path, headers, body);
  const signature = createHmac('sha256', job.secret).update(body).digest('hex');
  return post(job.path, { ...headers, 'X-Signature-256': signature }, body);
}
