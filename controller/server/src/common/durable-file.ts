import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { DiskFull } from './errors.js';

/** fsync of a directory: only then does a rename inside it survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a file whole or not at all: new file, fsync, rename, fsync of its directory. */
export async function writeFileDurably(
  file: string,
  write: (handle: FileHandle) => Promise<unknown>,
  { mode = 0o644, temporary = `${file}.tmp` }: { mode?: number; temporary?: string } = {},
): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(temporary, 'w', mode);
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncDirectory(path.dirname(file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskFullOr(error, file);
  }
}

/** ENOSPC and a used-up quota as ESP_DISK_FULL; any other error as it is. */
export function diskFullOr(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return DiskFull({ path: path.dirname(file), neededBytes: null, freeBytes: null }, { cause: error });
}
