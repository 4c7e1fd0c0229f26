import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { OutputUnwritable } from '../errors.js';
import { encodePieces, FILE_BYTES_MAX, type Placed, usedConstants } from './encode.js';
import type { Graph } from './graph.js';

/** Tensors below this stay in the model file: shapes and scalars, which runtimes want to see while loading. */
const EXTERNAL_BYTES_MIN = 1024;
/** Offsets are multiples of a page, so that a runtime may map the file [onnx.proto, external_data]. */
const PAGE_BYTES = 4096;

export interface WriteOptions {
  /** Puts the weights into a side file, `NAME.data`; by default only where one file would be over 2 GB. */
  readonly external?: boolean;
}

/**
 * Writes a model file, and beside it `NAME.data` where weights go there. Both appear whole or not at all. Returns the
 * files, the model first. Throws ESP_OUTPUT_UNWRITABLE.
 */
export async function writeModel(graph: Graph, file: string, options: WriteOptions = {}): Promise<string[]> {
  const constants = usedConstants(graph);
  const whole = encodePieces(graph, constants);
  if (!(options.external ?? sizeOf(whole) > FILE_BYTES_MAX)) return [await writePieces(file, whole)];
  const side = `${file}.data`;
  const { placed, pieces } = placeOutside(constants, path.basename(side));
  return [await writePieces(side, pieces), await writePieces(file, encodePieces(graph, placed))].reverse();
}

const sizeOf = (pieces: readonly Uint8Array[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

/** Where each constant goes, and the bytes of the side file in order. */
function placeOutside(constants: readonly Placed[], location: string): { placed: Placed[]; pieces: Uint8Array[] } {
  const pieces: Uint8Array[] = [];
  let end = 0;
  const placed = constants.map((constant): Placed => {
    const { bytes, strings } = constant.tensor;
    if (strings || bytes.length < EXTERNAL_BYTES_MIN) return constant;
    const offset = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES;
    pieces.push(new Uint8Array(offset - end), bytes);
    end = offset + bytes.length;
    return { ...constant, external: { location, offset } };
  });
  return { placed, pieces };
}

async function writePieces(file: string, pieces: readonly Uint8Array[]): Promise<string> {
  const partial = `${file}.partial`;
  let handle: FileHandle | null = null;
  try {
    handle = await open(partial, 'w');
    for (const piece of pieces) await writeAll(handle, piece);
    await handle.close();
    await rename(partial, file);
    return file;
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw OutputUnwritable(
      { path: file, why: (error as NodeJS.ErrnoException).code ?? String(error) },
      { cause: error },
    );
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, Math.min(bytes.length - done, 2 ** 30))).bytesWritten;
  }
}
