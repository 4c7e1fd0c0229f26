import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { DataUnreadable } from '../errors.js';
import type { DataSpec } from './spec.js';

/** A data file whole, unpacked when its first bytes say gzip [RFC 1952, 2.3.1]. Throws ESP_DATA_UNREADABLE. */
export async function readData(spec: DataSpec, file: string): Promise<Buffer> {
  try {
    const bytes = await readFile(file);
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw DataUnreadable({ spec: spec.text, file, why }, { cause: error });
  }
}
