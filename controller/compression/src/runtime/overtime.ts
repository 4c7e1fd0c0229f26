/** Whether a process has had the time that it was given: on a machine that others use, a clock alone would not tell. */
import { readFile } from 'node:fs/promises';

/** /proc counts in hundredths of a second.   [proc(5), sysconf(_SC_CLK_TCK)] */
const TICK_MS = 10;
/** Waits of the clock that a process is given at most while others hold the processor. */
const PATIENCE = 4;
/** Less of the processor than this in a window is a process that waits for nothing. */
const ASLEEP_SHARE = 0.02;
const WINDOW_MS = 1000;

export interface Usage {
  /** Since the process began. */
  readonly wallMs: number;
  /** Processor time, all threads; null where the system does not say. */
  readonly cpuMs: number | null;
}

/**
 * Why a process is to be ended, or null: it used up its time on the processor, it sleeps beyond it by the clock, or it was
 * waited for long enough. Pure.
 * @param before the usage about a second ago, null when there is none
 */
export function overtime(now: Usage, before: Usage | null, limitMs: number): string | null {
  const late = `it was not done after ${Math.round(limitMs / 1000)} s`;
  if (now.wallMs <= limitMs) return null;
  if (now.cpuMs === null || now.cpuMs >= limitMs || now.wallMs > PATIENCE * limitMs) return late;
  if (before?.cpuMs == null || now.wallMs - before.wallMs < WINDOW_MS) return null;
  const share = (now.cpuMs - before.cpuMs) / (now.wallMs - before.wallMs);
  return share < ASLEEP_SHARE ? late : null;
}

/**
 * Processor time in the text of /proc/PID/stat [proc_pid_stat(5): utime and stime; cutime and cstime].
 * @param withChildren also of those it has waited for
 */
export function cpuMsIn(stat: string, withChildren = false): number {
  // The name in parentheses may hold spaces; state is the field after it, utime the 12th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return TICK_MS * fields.slice(11, withChildren ? 15 : 13).reduce((sum, ticks) => sum + Number(ticks), 0);
}

/** Processor time of a process, where Linux tells; null elsewhere. */
export async function cpuMsOf(pid: number | undefined): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat === null ? null : cpuMsIn(stat);
}

/** Tells, once a second from the limit on, whether the process is over its time. */
export class TimeKeeper {
  private readonly startedAt = performance.now();
  private before: Usage | null = null;

  constructor(
    private readonly pid: number | undefined,
    private readonly limitMs: number,
  ) {}

  async check(): Promise<string | null> {
    const wallMs = performance.now() - this.startedAt;
    const isDue = this.before === null || wallMs - this.before.wallMs >= WINDOW_MS;
    if (wallMs <= this.limitMs || !isDue) return null;
    const now = { wallMs, cpuMs: await cpuMsOf(this.pid) };
    const why = overtime(now, this.before, this.limitMs);
    this.before = now;
    return why;
  }
}
