import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ArtifactFile, sha256Hex } from '@espalier/proto';
import { OutputUnwritable } from '../errors.js';

/** Writes a file below a folder, and says what an artifact lists about it. Throws ESP_OUTPUT_UNWRITABLE. */
export async function writeArtifact(folder: string, name: string, content: Uint8Array | string): Promise<ArtifactFile> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const file = path.join(folder, name);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(file, bytes);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw OutputUnwritable({ path: file, why }, { cause: error });
  }
  return { path: name, bytes: bytes.length, sha256: sha256Hex(bytes) };
}
