import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UploadTooLarge } from '../common/errors.js';

/**
 * Streams a request body into a temporary file, hands it to `use`, and removes it whatever happens.
 * @param folder where uploads wait; on the disk of the data directory, so that storing is a rename
 */
export async function withUpload<T>(
  body: Readable,
  folder: string,
  bytesMax: number,
  use: (file: string, bytes: number) => Promise<T>,
): Promise<T> {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, randomUUID());
  let bytes = 0;
  const limit = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > bytesMax) done(UploadTooLarge({ bytesMax }));
      else done(null, chunk);
    },
  });
  try {
    await pipeline(body, limit, createWriteStream(file, { mode: 0o600 }));
    return await use(file, bytes);
  } finally {
    await rm(file, { force: true });
  }
}
