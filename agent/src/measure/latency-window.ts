/** Latencies of one window as an HDR histogram: mergeable across windows and devices [HdrHistogram, V2 encoding]. */
import { build, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';

const HIGHEST_US = 600_000_000;
/** Fewer samples than these say nothing about a percentile this far out (docs/agent.md, measuring). */
export const P95_SAMPLES = 90;
export const P99_SAMPLES = 459;

export interface LatencySummary {
  readonly n: number;
  readonly p50Us: number;
  readonly p95Us: number | null;
  readonly p99Us: number | null;
  readonly histogram: string;
}

export class LatencyWindow {
  readonly #histogram: Histogram = build({
    bitBucketSize: 64,
    autoResize: true,
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2,
    numberOfSignificantValueDigits: 3,
  });

  record(latencyUs: number): void {
    this.#histogram.recordValue(Math.min(HIGHEST_US, Math.max(1, Math.round(latencyUs))));
  }

  get n(): number {
    return this.#histogram.totalCount;
  }

  summary(): LatencySummary {
    const at = (percentile: number): number => this.#histogram.getValueAtPercentile(percentile);
    return {
      n: this.n,
      p50Us: this.n > 0 ? at(50) : 0,
      p95Us: this.n >= P95_SAMPLES ? at(95) : null,
      p99Us: this.n >= P99_SAMPLES ? at(99) : null,
      histogram: encodeIntoCompressedBase64(this.#histogram),
    };
  }
}
