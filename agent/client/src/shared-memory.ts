/** Memory that a client on the same machine shares with the agent: tensors in it do not travel through the socket. */
import { closeSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { bytesOf, decode, type TensorData } from './tensors.js';

/** Where a tensor lies in a registered region. */
export interface SharedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  readonly region: string;
  readonly offset: number;
  readonly byteSize: number;
}

/** An object in /dev/shm of a fixed size. Made by `InferenceClient.share`, which registers it with the agent. */
export class SharedRegion {
  readonly #fd: number;

  constructor(
    readonly name: string,
    readonly byteSize: number,
    private readonly folder = '/dev/shm',
  ) {
    // Exclusive: an object of another program is never taken for ours.
    this.#fd = openSync(path.join(folder, name), 'wx+', 0o600);
    ftruncateSync(this.#fd, byteSize);
  }

  /** Puts values at a place and says where, for `infer`. @throws RangeError when they do not fit */
  write(name: string, shape: readonly number[], datatype: string, data: TensorData, offset = 0): SharedTensor {
    const bytes = bytesOf(data);
    this.#check(offset, bytes.length);
    writeSync(this.#fd, bytes, 0, bytes.length, offset);
    return this.place(name, shape, datatype, bytes.length, offset);
  }

  /** A place for an output, or for an input that is written already. */
  place(name: string, shape: readonly number[], datatype: string, byteSize: number, offset = 0): SharedTensor {
    this.#check(offset, byteSize);
    return { name, shape, datatype, region: this.name, offset, byteSize };
  }

  /** Values at a place. */
  read({ datatype, offset, byteSize }: SharedTensor): TensorData {
    const bytes = new Uint8Array(byteSize);
    readSync(this.#fd, bytes, 0, byteSize, offset);
    return decode(datatype, bytes);
  }

  /** Removes the object; a region that is still registered stays readable for the agent until it lets go. */
  close(): void {
    closeSync(this.#fd);
    unlinkSync(path.join(this.folder, this.name));
  }

  #check(offset: number, byteSize: number): void {
    if (!(offset >= 0 && offset + byteSize <= this.byteSize))
      throw new RangeError(`bytes ${offset} to ${offset + byteSize} do not fit in ${this.name} of ${this.byteSize}`);
  }
}

export const placeParameters = ({ region, offset, byteSize }: SharedTensor): Record<string, string | number> => ({
  shared_memory_region: region,
  shared_memory_offset: offset,
  shared_memory_byte_size: byteSize,
});
