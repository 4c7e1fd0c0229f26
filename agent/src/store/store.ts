/**
 * What a device holds of artifacts: `blobs` by SHA-256 (complete and verified), `parts` (downloads under way), `slots` by
 * artifact digest (whole artifacts, hard-linked from blobs), and two links, `current` and `previous`, into the slots.
 */
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { isMissing, relink, syncFolder } from '../common/files.js';

export type Link = 'current' | 'previous';

export class Store {
  constructor(readonly root: string) {
    for (const folder of ['blobs', 'parts', 'slots']) mkdirSync(path.join(root, folder), { recursive: true });
  }

  readonly blob = (sha256: string): string => path.join(this.root, 'blobs', sha256);
  readonly part = (sha256: string): string => path.join(this.root, 'parts', `${sha256}.part`);
  readonly slot = (digest: string): string => path.join(this.root, 'slots', digest);
  /** Where a slot is put together before it gets its name. */
  readonly draft = (digest: string): string => path.join(this.root, 'slots', `${digest}.tmp`);

  has(digest: string): boolean {
    return sizeOf(path.join(this.slot(digest), 'manifest.json')) !== null;
  }

  /** Digest that a link names, or null. */
  read(link: Link): string | null {
    try {
      return path.basename(readlinkSync(path.join(this.root, link)));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** Points a link at a slot, or removes it; atomic. */
  point(link: Link, digest: string | null): void {
    const file = path.join(this.root, link);
    if (digest) relink(file, path.join('slots', digest));
    else {
      rmSync(file, { force: true });
      syncFolder(this.root);
    }
  }

  /** A verified part becomes a blob. */
  promote(sha256: string): void {
    renameSync(this.part(sha256), this.blob(sha256));
    syncFolder(path.join(this.root, 'blobs'));
  }

  /** Offers a file that is already here (in an old slot) as a complete download; it is hashed like any other. */
  adopt(file: string, sha256: string): void {
    rmSync(this.part(sha256), { force: true });
    linkSync(file, this.part(sha256));
  }

  /** The draft of a slot becomes the slot. */
  publish(digest: string): void {
    rmSync(this.slot(digest), { recursive: true, force: true });
    renameSync(this.draft(digest), this.slot(digest));
    syncFolder(path.join(this.root, 'slots'));
  }

  /** Bytes that an unprivileged process may still write. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.root);
    return bavail * bsize;
  }

  /** Bytes of a download so far. */
  partBytes(sha256: string): number {
    return sizeOf(this.part(sha256)) ?? 0;
  }

  /** Removes what neither link nor `keep` names. `previous` always stays: it is the way back. */
  collect(keep: ReadonlySet<string> = new Set()): string[] {
    const kept = new Set([this.read('current'), this.read('previous'), ...keep]);
    const removed: string[] = [];
    for (const name of readdirSync(path.join(this.root, 'slots'))) {
      if (kept.has(name)) continue;
      rmSync(this.slot(name), { recursive: true, force: true });
      removed.push(name);
    }
    for (const folder of ['blobs', 'parts']) {
      for (const name of readdirSync(path.join(this.root, folder)))
        rmSync(path.join(this.root, folder, name), { force: true });
    }
    return removed;
  }
}

/** Length of a file in bytes, or null when there is none. */
export function sizeOf(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.size ?? null;
}

const PIECE_BYTES = 1 << 20;

/** SHA-256 of a file, hex, read in pieces; into the same memory, so that nothing is left for the collector. */
export async function hashFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(file);
  try {
    const piece = Buffer.allocUnsafeSlow(Math.max(1, Math.min(PIECE_BYTES, (await handle.stat()).size)));
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(piece, 0, piece.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(piece.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
