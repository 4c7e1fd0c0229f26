import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { DataDirLocked } from '../errors.js';
import { readIfThere } from './files.js';

/** A process by number and start time: numbers are used again after a reboot, the pair is not. */
function identity(pid: number): string | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The name in parentheses may hold spaces; the start time is field 22, the 20th after it [proc_pid_stat(5)].
  const startTime = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return startTime ? `${pid} ${startTime}` : null;
}

const ownIdentity = (): string => identity(process.pid) ?? `${process.pid} 0`;

/** Takes the data directory for this process; returns the release. One agent a directory: the journal has one writer. */
export function lockDataDir(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = path.join(dataDir, 'agent.lock');
  for (let tries = 0; tries < 2; tries++) {
    try {
      const fd = openSync(file, 'wx', 0o600);
      writeSync(fd, ownIdentity());
      closeSync(fd);
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readFileSync(file, 'utf8');
    const pid = Number(holder.split(' ')[0]);
    if (pid && identity(pid) === holder) throw DataDirLocked({ path: dataDir, pid });
    rmSync(file, { force: true });
  }
  throw DataDirLocked({ path: dataDir, pid: 0 });
}
