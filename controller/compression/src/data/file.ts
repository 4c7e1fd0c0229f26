import { readFile } from 'node:fs/promises';
import { createGunzip, gunzipSync } from 'node:zlib';
import { DataUnreadable } from '../errors.js';
import type { DataSpec } from './spec.js';

/** True when the first bytes say gzip [RFC 1952, 2.3.1]. */
const isPacked = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** A data file whole, unpacked. Throws ESP_DATA_UNREADABLE. */
export const readData = (spec: DataSpec, file: string): Promise<Buffer> =>
  readFile(file)
    .then((bytes) => (isPacked(bytes) ? gunzipSync(bytes) : bytes))
    .catch(failOf(spec, file));

/** A data file, unpacked no further than to `length` bytes where it is packed. Throws ESP_DATA_UNREADABLE. */
export const readStart = (spec: DataSpec, file: string, length: number): Promise<Buffer> =>
  readFile(file)
    .then((bytes) => (isPacked(bytes) ? unpackStart(bytes, length) : bytes))
    .catch(failOf(spec, file));

async function unpackStart(bytes: Buffer, length: number): Promise<Buffer> {
  const [parts, unpacked]: [Buffer[], AsyncIterable<Buffer>] = [[], createGunzip().end(bytes)];
  let held = 0;
  for await (const part of unpacked) {
    parts.push(part);
    held += part.length;
    if (held >= length) break;
  }
  return Buffer.concat(parts).subarray(0, length);
}

const failOf =
  (spec: DataSpec, file: string) =>
  (error: NodeJS.ErrnoException): never => {
    throw DataUnreadable({ spec: spec.text, file, why: error.code ?? error.message }, { cause: error });
  };
