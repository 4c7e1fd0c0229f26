/** Bodies in and out, plain or compressed, never larger than allowed. */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { BodyTooLarge, RequestInvalid } from '../errors.js';

const inflate = { gzip: promisify(zlib.gunzip), deflate: promisify(zlib.inflate) } as const;
const deflate = { gzip: promisify(zlib.gzip), deflate: promisify(zlib.deflate) } as const;
type Encoding = keyof typeof inflate;

const isEncoding = (text: string): text is Encoding => text in inflate;

/** @throws ESP_BODY_TOO_LARGE, with the request left open: who still sends must be able to read the answer */
function receive(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limitBytes) return Promise.reject(BodyTooLarge({ limitBytes }));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limitBytes) {
        chunks.length = 0;
        reject(BodyTooLarge({ limitBytes }));
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', reject);
    // Every request closes in the end; an error is made only where it says something, for making one takes 15 us.
    request.on('close', () => {
      if (!request.complete) reject(RequestInvalid({ problem: 'the connection ended before the body' }));
    });
  });
}

/** @throws ESP_BODY_TOO_LARGE, ESP_REQUEST_INVALID */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const body = await receive(request, limitBytes);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return body;
  if (!isEncoding(encoding))
    throw RequestInvalid({ problem: `Content-Encoding is ${encoding}; gzip and deflate are understood` });
  try {
    return await inflate[encoding](body, { maxOutputLength: limitBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw BodyTooLarge({ limitBytes });
    throw RequestInvalid({ problem: `the body is not ${encoding}: ${(error as Error).message}` }, { cause: error });
  }
}

const WORTH_COMPRESSING_BYTES = 1024;

/**
 * The body as the client wants it. A client that names one encoding wants it; a list is what every browser and fetch
 * sends, and then only text is compressed: squeezing tensors costs more than it saves on a local network.
 */
export async function encodeBody(
  body: Buffer,
  accepted: string | undefined,
  isText: boolean,
): Promise<{ body: Buffer; encoding: Encoding | null }> {
  if (!accepted || body.length < WORTH_COMPRESSING_BYTES) return { body, encoding: null };
  const list = accepted.split(',').map((one) => one.trim().split(';')[0]!);
  const wanted = list.find(isEncoding);
  if (!wanted || (list.length > 1 && !isText)) return { body, encoding: null };
  return { body: await deflate[wanted](body), encoding: wanted };
}
