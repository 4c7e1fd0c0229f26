/** Ways to use the CPUs, and which of them measured best. Pure. */
import { ONNX_RUNTIME } from '../others.js';
import type { Setup } from '../serving-plan.js';

export interface Measured extends Setup {
  /** By batch size: milliseconds of one run while all workers run, and rows a second of all together. */
  readonly sizes: ReadonlyMap<number, { readonly ms: number; readonly rowsPerS: number }>;
}

/** CPUs this process may use: the machine's, narrowed by affinity and by the cgroup's quota. */
export function cpuBudget(cpu: {
  readonly cores: number;
  readonly allowedCpus: number | null;
  readonly quotaCpus: number | null;
}): number {
  return Math.max(1, Math.floor(Math.min(cpu.cores, cpu.allowedCpus ?? cpu.cores, cpu.quotaCpus ?? cpu.cores) + 0.25));
}

/** CPUs of the fastest cluster, where a machine has unlike ones [big.LITTLE]; else all. */
export function fastCpus(
  clusters: readonly { readonly cpus: readonly number[]; readonly capacity: number | null }[],
): number {
  const top = Math.max(...clusters.map(({ capacity }) => capacity ?? 0));
  return clusters.filter(({ capacity }) => (capacity ?? 0) === top).reduce((sum, { cpus }) => sum + cpus.length, 0);
}

/** Setups worth measuring: each split of the CPUs into workers of as many threads, spinning only where threads wait. */
export function candidates(cpus: number, fast: number): Setup[] {
  const budgets = [...new Set([cpus, Math.min(cpus, Math.max(1, fast))])];
  const setups = budgets.flatMap((budget) =>
    [1, 2, 4, 8, 16, budget]
      .filter((threads, at, list) => threads <= budget && list.indexOf(threads) === at)
      .map((threads) => ({ workers: Math.floor(budget / threads), threads })),
  );
  const unique = setups.filter(
    (one, at) => setups.findIndex(({ workers, threads }) => workers === one.workers && threads === one.threads) === at,
  );
  return unique.flatMap((setup) => [
    { ...setup, spin: false },
    ...(setup.threads > 1 && setup.workers === 1 ? [{ ...setup, spin: true }] : []),
  ]);
}

/** The setups in which another runtime is measured; whether its threads spin is its own affair. */
export const withRuntime = (setups: readonly Setup[], runtime: string): Setup[] =>
  setups.filter(({ spin }) => !spin).map((setup) => ({ ...setup, runtime }));

const NEARLY_BEST = 0.95;
/** Threads that spin burn what other programs could use; they must be worth it. */
const SPIN_WORTH = 0.9;
/** Another runtime than ONNX Runtime takes a process for each worker and has no batches; it must be worth that. */
const RUNTIME_WORTH = 0.95;
const worthOf = ({ runtime }: Setup): number => (runtime === undefined ? 1 : RUNTIME_WORTH);

/** Rows a second within the limit: the best batch size that takes at most half of what a request may take. */
export function capacity(setup: Measured, limitMs: number): number {
  const { sizes, spin } = setup;
  const allowed = [...sizes].filter(([size, { ms }]) => size === 1 || ms <= limitMs / 2);
  return Math.max(...allowed.map(([, { rowsPerS }]) => rowsPerS)) * (spin ? SPIN_WORTH : 1) * worthOf(setup);
}

/** The setup with the most rows a second; of those within 5%, the one that answers a single client fastest. */
export function choose<M extends Measured>(measured: readonly M[], limitMs: number): M {
  const best = Math.max(...measured.map((one) => capacity(one, limitMs)));
  const near = measured.filter((one) => capacity(one, limitMs) >= NEARLY_BEST * best);
  const alone = (one: M): number => (one.sizes.get(1)?.ms ?? 0) / worthOf(one);
  return near.reduce((a, b) => (alone(b) < alone(a) ? b : a));
}

/** Milliseconds of one row alone in the best setup of each runtime, by adapter. */
export function compare(measured: readonly Measured[], limitMs: number): Record<string, number> {
  const byRuntime = Map.groupBy(measured, ({ runtime = ONNX_RUNTIME }) => runtime);
  return Object.fromEntries(
    [...byRuntime].map(([runtime, setups]) => [runtime, choose(setups, limitMs).sizes.get(1)?.ms ?? 0]),
  );
}
