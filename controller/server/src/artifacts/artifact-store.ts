import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { sha256Hex } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { Config } from '../common/config.js';
import { diskFullOr, syncDirectory } from '../common/durable-file.js';
import { BlobNotFound, OffsetInvalid } from '../common/errors.js';

/** A stored piece of content: lower-case hex SHA-256 and its length in bytes. */
export interface Blob {
  readonly sha256: string;
  readonly bytes: number;
}

const SHA256 = /^[0-9a-f]{64}$/;

/** Content-addressed files below the data directory: a blob's name is its SHA-256, so it is whole or absent. */
@Injectable()
export class ArtifactStore {
  readonly #root: string;

  constructor(config: Config) {
    this.#root = config.under('artifacts');
  }

  /** Where a blob lies (or would). @throws ESP_BLOB_NOT_FOUND for what is no SHA-256: it must not become a path */
  pathOf(sha256: string): string {
    if (!SHA256.test(sha256)) throw BlobNotFound({ sha256 });
    return path.join(this.#root, sha256.slice(0, 2), sha256.slice(2, 4), sha256);
  }

  async has(sha256: string): Promise<boolean> {
    return (await this.#size(sha256)) !== null;
  }

  /** @throws ESP_DISK_FULL */
  async putBytes(bytes: Uint8Array): Promise<Blob> {
    return this.#put([bytes], sha256Hex(bytes));
  }

  /** Copies a file into the store. @throws ESP_DISK_FULL */
  async putFile(file: string): Promise<Blob> {
    return this.#put(createReadStream(file), null);
  }

  /** Takes a stream, such as an upload; what breaks off leaves nothing behind. @throws ESP_DISK_FULL */
  async putStream(stream: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Blob> {
    return this.#put(stream, null, signal);
  }

  /**
   * The bytes of a blob from an offset on.
   * @throws ESP_BLOB_NOT_FOUND, ESP_OFFSET_INVALID
   */
  async open(sha256: string, offset = 0): Promise<{ stream: Readable; totalBytes: number }> {
    const totalBytes = await this.#size(sha256);
    if (totalBytes === null) throw BlobNotFound({ sha256 });
    if (offset < 0 || offset > totalBytes) throw OffsetInvalid({ sha256, offset, totalBytes });
    return { stream: createReadStream(this.pathOf(sha256), { start: offset, highWaterMark: 128 * 1024 }), totalBytes };
  }

  async #size(sha256: string): Promise<number | null> {
    try {
      return (await stat(this.pathOf(sha256))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  async #put(
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    known: string | null,
    signal?: AbortSignal,
  ): Promise<Blob> {
    const incoming = path.join(this.#root, 'incoming');
    const temporary = path.join(incoming, randomBytes(12).toString('hex'));
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      await mkdir(incoming, { recursive: true });
      const handle = await open(temporary, 'wx');
      try {
        for await (const chunk of chunks) {
          signal?.throwIfAborted();
          hash.update(chunk);
          bytes += chunk.length;
          await handle.writeFile(chunk);
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      const sha256 = known ?? hash.digest('hex');
      const target = this.pathOf(sha256);
      await mkdir(path.dirname(target), { recursive: true });
      await rename(temporary, target);
      await syncDirectory(path.dirname(target));
      return { sha256, bytes };
    } catch (error) {
      await rm(temporary, { force: true });
      throw diskFullOr(error, temporary);
    }
  }
}
