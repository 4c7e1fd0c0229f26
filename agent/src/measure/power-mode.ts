import { readFileSync } from 'node:fs';
import path from 'node:path';

/** How the kernel sets the clock of the first processor; null where it does not say. */
export function readPowerMode(root = '/'): string | null {
  try {
    return readFileSync(path.join(root, 'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'), 'utf8').trim();
  } catch {
    return null;
  }
}
