/** Measures what is served: after each switch, then at every interval, and the live requests of the interval. */
import { canonicalDigest, type MeasurementMessage } from '@espalier/proto';
import { readGolden, tensorsOf } from '../runtime/golden.js';
import type { Tensors } from '../runtime/protocol.js';
import type { Served, Serving } from '../serve/serving.js';
import { chooseWindows } from './choose-windows.js';
import { classify, readConditions } from './conditions.js';
import { LatencyWindow } from './latency-window.js';
import { readPowerMode } from './power-mode.js';

const LIMIT_MS = 8000;
const WINDOW_RUNS = 170;

export interface MeasurerParts {
  readonly serving: Serving;
  readonly slotOf: (digest: string) => string;
  readonly report: (message: MeasurementMessage) => void;
  readonly now: () => number;
  readonly soc: string | null;
}

export class Measurer {
  /** Failures that earlier windows have told of. */
  #told = 0;

  constructor(private readonly parts: MeasurerParts) {}

  /** A single-stream benchmark on the golden inputs; null when nothing of the controller's is served. */
  async benchmark(): Promise<MeasurementMessage | null> {
    const { serving, now } = this.parts;
    const served = serving.served;
    if (!served?.digest || !served.manifest) return null;
    const feeds = this.#goldenFeeds(served, served.digest);
    const startedAt = now();
    const before = readConditions();
    const done = await serving.benchmark(feeds, { limitMs: LIMIT_MS, windowRuns: WINDOW_RUNS });
    const after = readConditions();
    if (!done || done.served !== served) return null;
    const { samplesUs, steady } = chooseWindows(done.result.windows);
    const window = new LatencyWindow();
    for (const sample of samplesUs) window.record(sample);
    return {
      ...this.#message(served, served.digest, window, startedAt),
      scenario: 'single-stream',
      batch: Object.values(feeds)[0]?.shape[0] ?? 1,
      class: classify(before, after, steady),
      coldStartUs: Math.round(done.result.coldUs),
      temperatureC: after.temperatureC,
    };
  }

  /** The live requests since the last call; null when there were none. */
  takeLive(sinceMs: number): MeasurementMessage | null {
    const { serving } = this.parts;
    const served = serving.served;
    const window = serving.live;
    if (!served?.digest || !window || window.n === 0) return null;
    serving.live = new LatencyWindow();
    const errors = serving.failures - this.#told;
    this.#told += errors;
    const { exits } = served.pool.statistics;
    const quality = serving.quality?.take() ?? null;
    return {
      ...{ ...this.#message(served, served.digest, window, sinceMs), errors },
      ...(exits.length > 0 ? { exits: [...exits] } : {}),
      ...(quality ? { quality } : {}),
    };
  }

  /** Measures now and reports. */
  async measure(sinceMs: number): Promise<void> {
    const live = this.takeLive(sinceMs);
    if (live) this.parts.report(live);
    const message = await this.benchmark();
    if (message) this.parts.report(message);
  }

  #message(served: Served, digest: string, window: LatencyWindow, startedMs: number): MeasurementMessage {
    const { p50Us, p95Us, p99Us, n, histogram } = window.summary();
    return {
      ...{ digest, scenario: 'live', batch: 1, n, p50Us, p95Us, p99Us, histogram, class: 'contended' },
      startedAt: new Date(startedMs).toISOString(),
      endedAt: new Date(this.parts.now()).toISOString(),
      coldStartUs: null,
      rssBytes: process.memoryUsage.rss(),
      temperatureC: null,
      errors: 0,
      runtime: {
        adapter: served.pool.runtime.adapter,
        version: served.pool.runtime.version,
        optionsDigest: canonicalDigest(served.pool.sessionOptions),
        powerMode: readPowerMode(),
        soc: this.parts.soc,
      },
    };
  }

  /** Sample 0 of the first golden case: batch 1, real data where the controller had some. */
  #goldenFeeds(served: Served, digest: string): Tensors {
    const [first] = readGolden(this.parts.slotOf(digest), served.manifest!);
    return tensorsOf(first!.inputs, served.pool.inputs);
  }
}
