import type { Request, Response } from 'express';
import type { FileData } from '../../src/core/command.ts';
import { isHeld } from './conditional.ts';

/**
 * Ends the response with the bytes of a file, whatever it says it is: to be saved, never to be shown or run under this
 * origin.
 */
export function sendFile(req: Request, res: Response, file: FileData): void {
  const tag = `"${file.sha256}"`;
  res.setHeader('ETag', tag);
  res.setHeader('Cache-Control', 'private, no-cache');
  if (isHeld(req, tag)) {
    res.writeHead(304).end();
    return;
  }
  const bytes = Buffer.from(file.content, file.encoding);
  res.writeHead(200, {
    'Content-Type': typeOf(file),
    'Content-Length': bytes.length,
    'Content-Disposition': `attachment; filename*=UTF-8''${encoded(file.name)}`,
    'Content-Security-Policy': "sandbox; default-src 'none'",
  });
  res.end(bytes);
}

/** What we hold as text is UTF-8, also where its type does not say so. */
const typeOf = ({ mediaType, encoding }: FileData): string =>
  encoding === 'utf8' && /^text\/[^;]*$/i.test(mediaType) ? `${mediaType}; charset=utf-8` : mediaType;

/** RFC 8187, 3.2.1: what `encodeURIComponent` leaves as it is and the header does not take. */
const encoded = (name: string): string =>
  encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
