import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import path from 'node:path';
import { diskFullOr } from './durable-file.js';
import { DataDirLocked, DataDirUnusable, DiskFull } from './errors.js';

interface Holder {
  readonly pid: number;
  /** Start time of the process in clock ticks since boot: a number is used again, the pair is not. */
  readonly ticks: string;
  readonly since: string;
}

/** Field 22 of /proc/PID/stat, counted after the name in parentheses [proc_pid_stat(5)]; null: no such process. */
function startTicks(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function holderOf(file: string): Holder | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

/**
 * Takes the data directory for this process; returns the release. The embedded database has no lock of its own, and a
 * second process on it loses committed rows.
 * @throws ESP_DATA_DIR_LOCKED, ESP_DATA_DIR_UNUSABLE, ESP_DISK_FULL
 */
export function lockDataDir(dataDir: string): () => void {
  const file = path.join(dataDir, 'controller.lock');
  const mine: Holder = { pid: process.pid, ticks: startTicks(process.pid) ?? '', since: new Date().toISOString() };
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    for (let tries = 0; tries < 2; tries++) {
      try {
        const fd = openSync(file, 'wx', 0o600);
        writeSync(fd, JSON.stringify(mine));
        closeSync(fd);
        return () => rmSync(file, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = holderOf(file);
      if (holder && startTicks(holder.pid) === holder.ticks)
        throw DataDirLocked({ dataDir, pid: holder.pid, since: holder.since });
      rmSync(file, { force: true });
    }
  } catch (error) {
    const known = diskFullOr(error, file);
    if (known !== error || (error as { status?: number }).status) throw known;
    throw DataDirUnusable({ dataDir, reason: (error as Error).message }, { cause: error });
  }
  throw DataDirUnusable({ dataDir, reason: 'its lock file appears again and again' });
}

/** A new embedded database with its first write-ahead log; and what a start needs on one that exists. */
const FIRST_START_BYTES = 200e6;
const START_BYTES = 20e6;

/**
 * Refuses to start on a disk that is full: the embedded database would fail somewhere in the middle.
 * @throws ESP_DISK_FULL with the bytes that are needed and free
 */
export function checkSpace(dataDir: string, embedded: boolean): void {
  const isNew = embedded && !existsSync(path.join(dataDir, 'database'));
  const neededBytes = isNew ? FIRST_START_BYTES : START_BYTES;
  const { bavail, bsize } = statfsSync(dataDir);
  const freeBytes = bavail * bsize;
  if (freeBytes < neededBytes) throw DiskFull({ path: dataDir, neededBytes, freeBytes });
}
