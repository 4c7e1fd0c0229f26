import { closeSync, createReadStream, mkdirSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { CodedError } from '@espalier/proto';
import { Unzip, type UnzipFile, UnzipInflate } from 'fflate';
import { DatasetUnsafe } from '../common/errors.js';
import { entryPath } from './entry-path.js';
import { ExtractCount, type ExtractLimits } from './extract-limit.js';

/**
 * Unpacks a .zip below `into`. A symbolic link in a zip is a file whose content is the target, and is written as that:
 * no link is ever made.
 * @returns the relative paths written
 */
export async function unzip(
  archive: string,
  into: string,
  limits: ExtractLimits,
  signal?: AbortSignal,
): Promise<string[]> {
  const count = new ExtractCount(limits);
  const written: string[] = [];
  const open = new Set<number>();

  const take = (entry: UnzipFile): void => {
    const relative = entryPath(entry.name);
    if (!relative) return;
    count.file();
    const target = path.join(into, relative);
    mkdirSync(path.dirname(target), { recursive: true });
    const file = openSync(target, 'wx', 0o600);
    open.add(file);
    written.push(relative);
    let fileBytes = 0;
    entry.ondata = (error, data, final) => {
      // What is thrown below comes back here as the error of the entry.
      if (error instanceof CodedError) throw error;
      if (error) throw DatasetUnsafe({ entry: entry.name, reason: `does not unpack (${error.message})` });
      fileBytes += data.length;
      count.bytes(data.length, fileBytes);
      writeSync(file, data);
      if (!final) return;
      closeSync(file);
      open.delete(file);
    };
    entry.start();
  };

  const reader = new Unzip(take);
  reader.register(UnzipInflate);
  try {
    for await (const chunk of createReadStream(archive, { signal })) reader.push(chunk as Buffer, false);
    reader.push(new Uint8Array(0), true);
    if (open.size > 0) throw DatasetUnsafe({ entry: written.at(-1)!, reason: 'is cut off' });
  } finally {
    for (const file of open) closeSync(file);
  }
  return written;
}
