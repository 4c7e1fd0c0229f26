/**
 * Arrays of numbers by name in a file that only grows: what was appended before a process was killed is there for the next.
 * The first record has no arrays; its name is the key, of what the file is about.
 *
 *   file: MAGIC, record...    record: uint32 bytes of the header, header (JSON), arrays, SHA-256 of header and arrays
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { CacheUnusable } from '../errors.js';

/** Numbers as they lie in memory; a cache stays on the kind of machine that made it. */
export type Numbers = Float64Array | Float32Array;

interface Header {
  readonly name: string;
  /** Kind and bytes of each array. */
  readonly arrays: readonly (readonly ['f64' | 'f32', number])[];
}

interface Place extends Header {
  /** Where the header starts, and its bytes. */
  readonly start: number;
  readonly headerBytes: number;
}

const MAGIC = Buffer.from('ESPCAL1\n');
const LENGTH_BYTES = 4;
const DIGEST_BYTES = 32;
const HEADER_BYTES_MAX = 1 << 20;

const bytesOf = (numbers: Numbers): Uint8Array =>
  new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
const payloadBytes = ({ arrays }: Header): number => arrays.reduce((sum, [, bytes]) => sum + bytes, 0);

function digestOf(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export class RecordLog {
  private readonly places = new Map<string, Place>();
  private end = MAGIC.length;
  /** Why some of what the file held is not used; null when all of it is, or the file is new. */
  problem: string | null = null;

  private constructor(private readonly file: FileHandle) {}

  /**
   * Opens the records of one key, or starts them: those of another key are dropped, and a torn end is cut off.
   * Throws ESP_CALIBRATION_CACHE when the file cannot be written, or is something else.
   */
  static async open(path: string, key: string): Promise<RecordLog> {
    const fail = (why: string, cause?: unknown) => CacheUnusable({ path, why }, { cause });
    const file = await open(path, 'r+')
      .catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? open(path, 'wx+') : Promise.reject(error)))
      .catch((error: NodeJS.ErrnoException) => {
        throw fail(error.code ?? error.message, error);
      });
    const log = new RecordLog(file);
    const found = await log.bytes(0, MAGIC.length);
    const { size } = await file.stat();
    // A kill right after the first write leaves a part of the magic.
    if (size > 0 && !MAGIC.subarray(0, size).equals(found)) {
      await file.close();
      throw fail('it is no calibration cache, and is left as it is');
    }
    await log.scan(size, key);
    return log;
  }

  private async bytes(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await this.file.read(buffer, 0, length, position);
    return buffer.subarray(0, bytesRead);
  }

  /** Finds the records; the first names the calibration. Everything from the first that is not whole is cut off. */
  private async scan(size: number, key: string): Promise<void> {
    let key0: string | null = null;
    while (this.end < size) {
      const place = await this.placeAt(this.end, size);
      if (!place) {
        this.problem = `its end from byte ${this.end} is damaged and was dropped`;
        break;
      }
      key0 ??= place.name;
      if (key0 !== key) break;
      this.places.set(place.name, place);
      this.end = place.start + place.headerBytes + payloadBytes(place) + DIGEST_BYTES;
    }
    if (key0 === key) return this.file.truncate(this.end);
    if (key0) this.problem = 'it was of another graph, data or options, and was started again';
    this.places.clear();
    await this.file.truncate(0);
    await this.file.write(MAGIC, 0, MAGIC.length, 0);
    this.end = MAGIC.length;
    await this.append(key, []);
  }

  private async placeAt(at: number, size: number): Promise<Place | null> {
    const length = await this.bytes(at, LENGTH_BYTES);
    const headerBytes = length.length === LENGTH_BYTES ? length.readUInt32LE() : 0;
    if (headerBytes === 0 || headerBytes > HEADER_BYTES_MAX) return null;
    const start = at + LENGTH_BYTES;
    try {
      const { name, arrays } = JSON.parse((await this.bytes(start, headerBytes)).toString()) as Header;
      const bytes = payloadBytes({ name, arrays });
      const whole = Number.isSafeInteger(bytes) && start + headerBytes + bytes + DIGEST_BYTES <= size;
      return whole && typeof name === 'string' ? { name, arrays, start, headerBytes } : null;
    } catch {
      return null;
    }
  }

  async append(name: string, numbers: readonly Numbers[]): Promise<void> {
    const arrays = numbers.map((one) => [one instanceof Float64Array ? 'f64' : 'f32', one.byteLength] as const);
    const header = Buffer.from(JSON.stringify({ name, arrays } satisfies Header));
    const parts = [header, ...numbers.map(bytesOf)];
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(header.length);
    const written = [length, ...parts, digestOf(parts)];
    await this.file.writev(written, this.end);
    this.places.set(name, { name, arrays, start: this.end + LENGTH_BYTES, headerBytes: header.length });
    this.end += written.reduce((sum, part) => sum + part.length, 0);
  }

  /** The arrays of a record; null when there is none, or it is damaged. */
  async read(name: string): Promise<Numbers[] | null> {
    const place = this.places.get(name);
    if (!place) return null;
    const { start, headerBytes, arrays } = place;
    const length = headerBytes + payloadBytes(place);
    const all = await this.bytes(start, length + DIGEST_BYTES);
    if (!digestOf([all.subarray(0, length)]).equals(all.subarray(length))) {
      this.problem = 'one of its records is damaged, and was measured again';
      return null;
    }
    let at = headerBytes;
    return arrays.map(([kind, bytes]) => {
      const own = new Uint8Array(all.subarray(at, at + bytes)).buffer;
      at += bytes;
      return kind === 'f64' ? new Float64Array(own) : new Float32Array(own);
    });
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
