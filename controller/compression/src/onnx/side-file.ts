import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { ExternalDataInvalid } from '../errors.js';
import { TensorProto_DataLocation as Location, type TensorProto } from './gen/onnx_pb.js';
import { tensorBytes } from './tensor.js';

/** Where a tensor's elements lie: bytes `offset` to `offset + length` of the file `location`. */
interface Claim {
  readonly tensor: TensorProto;
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** One read of a file takes no more than this; larger ones fail in the operating system. */
const READ_BYTES_MAX = 2 ** 30;

export const isExternal = (tensor: TensorProto): boolean => tensor.dataLocation === Location.EXTERNAL;

/**
 * Brings the data of side files into the messages of the tensors: each file is read once, and its tensors are views of
 * that one buffer [ONNX IR, "External Tensor Data"]. Throws ESP_MODEL_EXTERNAL_DATA.
 * @param folder where the model lies; no side file may lie outside, through a symbolic link or otherwise
 */
export async function loadSideFiles(tensors: Iterable<TensorProto>, folder: string): Promise<void> {
  const claims = new Map<string, Claim[]>();
  for (const tensor of tensors) {
    if (!isExternal(tensor)) continue;
    const claim = claimOf(tensor);
    claims.set(claim.location, [...(claims.get(claim.location) ?? []), claim]);
  }
  for (const [location, ofFile] of claims) await loadFile(path.resolve(folder, location), folder, ofFile);
}

const refuse = ({ tensor, location }: Pick<Claim, 'tensor' | 'location'>, why: string): Error =>
  ExternalDataInvalid({ tensor: tensor.name || 'without a name', location, why });

/** What a tensor's entries say. Without `length` it is what type and shape need. */
function claimOf(tensor: TensorProto): Claim {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  const place = { tensor, location };
  const normal = path.normalize(location);
  if (!location || location.includes('\0') || normal.replace(/[/\\]$/, '') === '.')
    throw refuse(place, 'the location names no file');
  if (path.isAbsolute(location) || path.win32.isAbsolute(location) || normal.split(/[\\/]/).includes('..')) {
    throw refuse(place, 'the location leaves the folder of the model');
  }
  const needed = tensorBytes(tensor.dataType, tensor.dims.map(Number));
  const offset = Number(entries.get('offset') ?? 0);
  const length = Number(entries.get('length') || (needed ?? Number.NaN));
  if (![offset, length].every((count) => Number.isSafeInteger(count) && count >= 0)) {
    throw refuse(place, `offset ${entries.get('offset')} and length ${entries.get('length')} are no byte counts`);
  }
  if (needed !== null && needed !== length) throw refuse(place, `its shape needs ${needed} bytes, not ${length}`);
  return { ...place, offset, length };
}

async function loadFile(file: string, folder: string, claims: readonly Claim[]): Promise<void> {
  const first = claims[0]!;
  const handle = await openInside(file, folder, first);
  try {
    const { size } = await handle.stat();
    const short = claims.find(({ offset, length }) => offset + length > size);
    if (short) throw refuse(short, `it ends ${short.offset + short.length - size} bytes early`);
    const start = claims.reduce((least, { offset }) => Math.min(least, offset), size);
    const end = claims.reduce((most, { offset, length }) => Math.max(most, offset + length), start);
    const bytes = await readRange(handle, start, end - start);
    if (!bytes) throw refuse(first, `${end - start} bytes of it do not fit into memory`);
    for (const { tensor, offset, length } of claims) {
      tensor.rawData = bytes.subarray(offset - start, offset - start + length);
      tensor.dataLocation = Location.DEFAULT;
      tensor.externalData = [];
    }
  } finally {
    await handle.close();
  }
}

/** Opens a regular file whose real place is inside the real folder. */
async function openInside(file: string, folder: string, claim: Claim): Promise<FileHandle> {
  const real = await realpath(file).catch((error: NodeJS.ErrnoException) => {
    throw refuse(claim, error.code ?? error.message);
  });
  const inside = path.relative(await realpath(folder), real);
  if (inside.split(path.sep)[0] === '..' || path.isAbsolute(inside)) {
    throw refuse(claim, 'it is a link that leaves the folder of the model');
  }
  // Without O_NONBLOCK opening a pipe would wait for a writer for ever.
  const handle = await open(real, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    throw refuse(claim, error.code ?? error.message);
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw refuse(claim, 'it is not a file');
}

/** A range of a file, or null where there is no memory for it. The range is known to be within the file. */
async function readRange(handle: FileHandle, start: number, length: number): Promise<Uint8Array | null> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(length);
  } catch {
    return null;
  }
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, READ_BYTES_MAX), start + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes;
}
