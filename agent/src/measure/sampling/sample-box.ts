/** Sealed samples as files of the data directory, within limits of bytes and age, until the controller has them. */
import { mkdirSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isMissing, writeDurablyLater } from '../../common/files.js';
import { SampleDropped } from '../../errors.js';

/** `<milliseconds since 1970>-<id>.jwe`: in the order they were taken. */
const NAME = /^(\d{15})-[0-9a-f-]{36}\.jwe$/;
const DAY_MS = 86_400_000;

export interface BoxLimits {
  readonly bytesMax: number;
  readonly retentionDays: number;
}

export interface BoxEntry {
  readonly name: string;
  readonly takenMs: number;
  readonly bytes: number;
}

export class SampleBox {
  constructor(
    readonly folder: string,
    /** Bytes of the disk that are left free for updates. */
    private readonly reserveBytes: number,
  ) {}

  /** The oldest first. */
  list(): BoxEntry[] {
    return this.#names().flatMap((name) => {
      const taken = NAME.exec(name)?.[1];
      const stat = taken && statSync(path.join(this.folder, name), { throwIfNoEntry: false });
      return stat ? [{ name, takenMs: Number(taken), bytes: stat.size }] : [];
    });
  }

  /** Makes room by giving up the oldest. @throws ESP_SAMPLE_DROPPED when the sample cannot be kept */
  async add(id: string, takenMs: number, sealed: Uint8Array, limits: BoxLimits): Promise<void> {
    const kept = this.list();
    let held = kept.reduce((sum, { bytes }) => sum + bytes, 0);
    if (sealed.length > limits.bytesMax) throw SampleDropped({ cause: `it has more than ${limits.bytesMax} bytes` });
    while (held + sealed.length > limits.bytesMax) {
      const oldest = kept.shift()!;
      this.remove(oldest.name);
      held -= oldest.bytes;
    }
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = statfsSync(this.folder);
    if (bavail * bsize < this.reserveBytes + sealed.length) throw SampleDropped({ cause: 'the disk is nearly full' });
    try {
      const name = `${String(takenMs).padStart(15, '0')}-${id}.jwe`;
      await writeDurablyLater(path.join(this.folder, name), sealed, 0o600);
    } catch (error) {
      throw SampleDropped({ cause: (error as Error).message }, { cause: error });
    }
  }

  /** null when it is gone. */
  async read(name: string): Promise<Buffer | null> {
    try {
      return await readFile(path.join(this.folder, name));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  remove(name: string): void {
    rmSync(path.join(this.folder, name), { force: true });
  }

  /** Deletes what is older than it may be, and what a cut write left. Answers how many samples went. */
  sweep(nowMs: number, { retentionDays, bytesMax }: BoxLimits): number {
    for (const name of this.#names()) if (name.endsWith('.jwe.new')) this.remove(name);
    const kept = this.list();
    let held = kept.reduce((sum, { bytes }) => sum + bytes, 0);
    const gone = kept.filter(({ takenMs, bytes }) => {
      const isOver = takenMs < nowMs - retentionDays * DAY_MS || held > bytesMax;
      if (isOver) held -= bytes;
      return isOver;
    });
    for (const { name } of gone) this.remove(name);
    return gone.length;
  }

  /** Deletes everything, the folder included. */
  clear(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #names(): string[] {
    try {
      return readdirSync(this.folder).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}
