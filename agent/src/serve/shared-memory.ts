/**
 * Tensors in POSIX shared memory of local clients [OIP system shared memory extension]. Node has no mmap: a tensor is read
 * from /dev/shm straight into its batch slot, and outputs are written from there. Bounds are checked before anything is read.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { RegionUnknown, RequestInvalid } from '../errors.js';

export interface Region {
  readonly name: string;
  readonly key: string;
  readonly offset: number;
  readonly byteSize: number;
}

/** A tensor's place, from the parameters shared_memory_region, _byte_size and _offset. */
export interface Place {
  readonly region: string;
  readonly bytes: number;
  readonly offset: number;
}

/** One name, no folder: nothing outside of the shared memory file system can be meant. */
const KEY = /^\/?[\w.-]{1,250}$/;

const whole = (value: unknown): number => {
  const number = Number(value ?? 0);
  return Number.isSafeInteger(number) && number >= 0 ? number : Number.NaN;
};

/** The place that a tensor's parameters name; null when its values come with the request. @throws ESP_REQUEST_INVALID */
export function placeOf(tensor: string, parameters: Readonly<Record<string, unknown>> | undefined): Place | null {
  const region = parameters?.shared_memory_region;
  if (region === undefined) return null;
  const bytes = whole(parameters?.shared_memory_byte_size);
  const offset = whole(parameters?.shared_memory_offset);
  if (typeof region !== 'string' || Number.isNaN(bytes) || Number.isNaN(offset))
    throw RequestInvalid({ problem: `the shared memory parameters of ${tensor} are not a name and two whole numbers` });
  return { region, bytes, offset };
}

export class SharedMemory {
  readonly #regions = new Map<string, Region & { readonly fd: number }>();

  constructor(private readonly folder = '/dev/shm') {}

  /** @throws ESP_REQUEST_INVALID when there is no such object or it is smaller than said */
  register(region: Region): void {
    const { name, key, offset, byteSize } = region;
    const wrong = (problem: string) => RequestInvalid({ problem: `shared memory region ${name}: ${problem}` });
    if (this.#regions.has(name)) throw wrong('it is registered already');
    const object = key.replace(/^\//, '');
    if (!KEY.test(key) || object.startsWith('.')) throw wrong(`${key} is not the name of a shared memory object`);
    if (!(whole(offset) >= 0 && whole(byteSize) > 0)) throw wrong('offset and byte_size are not whole numbers');
    let fd: number;
    try {
      fd = openSync(path.join(this.folder, object), constants.O_RDWR | constants.O_NOFOLLOW);
    } catch (error) {
      throw wrong(`${key} cannot be opened (${(error as NodeJS.ErrnoException).code})`);
    }
    const stat = fstatSync(fd);
    if (stat.isFile() && offset + byteSize <= stat.size) this.#regions.set(name, { ...region, fd });
    else {
      closeSync(fd);
      throw wrong(`${key} has ${stat.size} bytes, ${offset + byteSize} were announced`);
    }
  }

  /** Lets one region go, or all of them. */
  unregister(name?: string): void {
    for (const region of name === undefined ? [...this.#regions.values()] : [this.#find(name)]) {
      closeSync(region.fd);
      this.#regions.delete(region.name);
    }
  }

  /** @throws ESP_REGION_UNKNOWN */
  status(name?: string): Region[] {
    return (name === undefined ? [...this.#regions.values()] : [this.#find(name)]).map(
      ({ fd: _, ...region }) => region,
    );
  }

  /** Reads a tensor into memory. @throws ESP_REGION_UNKNOWN, ESP_REQUEST_INVALID */
  read(place: Place, into: Uint8Array): void {
    const { fd, at } = this.#within(place);
    if (readSync(fd, into, 0, place.bytes, at) !== place.bytes)
      throw RequestInvalid({
        problem: `shared memory region ${place.region} has become shorter than it was registered`,
      });
  }

  /** Checks that a place lies in its region. @throws ESP_REGION_UNKNOWN, ESP_REQUEST_INVALID */
  check(place: Place): void {
    this.#within(place);
  }

  /** Writes an output. @throws ESP_REGION_UNKNOWN, ESP_REQUEST_INVALID when it does not fit */
  write(place: Place, from: Uint8Array): void {
    const { fd, at } = this.#within(place);
    if (from.length > place.bytes)
      throw RequestInvalid({
        problem: `an output of ${from.length} bytes does not fit in ${place.bytes} of ${place.region}`,
      });
    writeSync(fd, from, 0, from.length, at);
  }

  #within({ region, bytes, offset }: Place): { fd: number; at: number } {
    const found = this.#find(region);
    if (offset + bytes > found.byteSize)
      throw RequestInvalid({
        problem: `bytes ${offset} to ${offset + bytes} leave shared memory region ${region} of ${found.byteSize}`,
      });
    return { fd: found.fd, at: found.offset + offset };
  }

  #find(name: string): Region & { readonly fd: number } {
    const region = this.#regions.get(name);
    if (!region) throw RegionUnknown({ region: name });
    return region;
  }
}
