import { loadProfiles, matchProfile, readLocalFacts } from '@espalier/compression';
import type { TrainProgress } from '@espalier/compression/train/progress';

export interface Row {
  readonly id: string;
  /** Where an id is measured on several. */
  readonly model?: string;
  readonly value: number;
  readonly unit: string;
  readonly reference: string;
  readonly n: number;
  readonly seed: number;
  readonly note?: string;
}

export interface Bench {
  readonly id: string;
  readonly model?: string;
  /** Takes longer than ten minutes: only with --long, and kept. */
  readonly long?: boolean;
  /** @param peers a Python environment with the tools to compare with; without one, rows that only compare are left out */
  measure(data: string, peers: string | null): Promise<Row[]>;
}

export const SEED = 1;
export const profile = matchProfile(await readLocalFacts(), await loadProfiles())!.profile;
export const rounded = (value: number): number => Number(value.toFixed(2));

const TELL_EVERY_MS = 10_000;

/** Prints the progress of a training now and then. */
export function teller(): (progress: TrainProgress) => void {
  let told = performance.now();
  return ({ share, loss, etaSeconds }) => {
    if (performance.now() - told < TELL_EVERY_MS) return;
    told = performance.now();
    const left = etaSeconds === null ? '' : `, ${Math.round(etaSeconds)} s left`;
    process.stderr.write(`  ${Math.round(100 * share)} %, loss ${loss?.toFixed(3) ?? '-'}${left}\n`);
  };
}
