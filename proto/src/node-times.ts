/** Times of single operators from a trace of ONNX Runtime's profiler. Pure. */

export interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
}

const KERNEL = '_kernel_time';
/** Runs that something else held up are left out at the upper end. */
const TRIMMED = 0.2;

/**
 * Mean time of every operator in microseconds, by name; what the runtime made itself has names of its own. The profiler
 * counts whole microseconds; over hundreds of runs their mean is finer.
 * @param warmUps runs at the beginning that do not count
 */
export function nodeTimesOf(events: readonly TraceEvent[], warmUps: number): Map<string, number> {
  const times = new Map<string, number[]>();
  for (const { cat, name, dur } of events) {
    if (cat !== 'Node' || !name.endsWith(KERNEL)) continue;
    // The runtime ends the names of nodes that it made or moved with a token.
    const node = name.slice(0, -KERNEL.length).replace(/_token_\d+$/, '');
    const all = times.get(node) ?? [];
    all.push(dur);
    times.set(node, all);
  }
  return new Map([...times].map(([node, all]) => [node, trimmedMean(all.slice(warmUps))]));
}

function trimmedMean(all: readonly number[]): number {
  const sorted = [...all].sort((a, b) => a - b);
  const kept = sorted.slice(0, Math.max(1, Math.ceil(sorted.length * (1 - TRIMMED))));
  return kept.reduce((sum, us) => sum + us, 0) / kept.length;
}
