/** `espalier-agent bench FILE.onnx`: the four scenarios of MLPerf on this device, with the cold start apart. */
import path from 'node:path';
import type { SessionOptions } from '@espalier/proto';
import { BenchRefused } from '../../errors.js';
import { ModelPool, type PoolSettings } from '../../runtime/model-pool.js';
import { probeFeeds } from '../../runtime/probe-feeds.js';
import type { Tuner } from '../../runtime/tuning/tuner.js';
import { toRaw } from '../../runtime/values.js';
import { hashFile } from '../../store/store.js';
import { runScenarios, SCENARIOS, type Scenario, type ScenarioResult } from './scenarios.js';

export interface BenchRequest {
  readonly file: string;
  readonly options: SessionOptions;
  readonly settings: PoolSettings;
  readonly tuner: Tuner;
  readonly scenarios: readonly Scenario[];
  readonly forMs: number;
}

export interface BenchHead {
  readonly model: string;
  /** Milliseconds to open the model, and microseconds of its first inference: the cold start. */
  readonly loadMs: number;
  readonly firstUs: number;
  readonly plan: ModelPool['plan'];
  readonly optimalBatch: number;
}

/** @throws ESP_BENCH_REFUSED for a name that is none */
export function parseScenarios(text: string): Scenario[] {
  return text.split(',').map((name) => {
    const found = SCENARIOS.find((one) => one === name.trim());
    if (!found) throw BenchRefused({ cause: `there is no scenario ${name}; there are ${SCENARIOS.join(', ')}` });
    return found;
  });
}

/** @throws ESP_MODEL_LOAD_FAILED, ESP_BENCH_REFUSED when the model's inputs have no fixed size to make some up */
export async function bench(
  { file, options, settings, tuner, scenarios, forMs }: BenchRequest,
  onHead: (head: BenchHead) => void,
  onResult: (result: ScenarioResult) => void,
): Promise<void> {
  const digest = await hashFile(file, new AbortController().signal);
  const model = { planDigest: digest, options, others: [], check: async () => null };
  const startMs = settings.now();
  const pool = await ModelPool.open(file, options, { ...settings, latencyLimitMs: null }, tuner.stored(model));
  try {
    const loadMs = settings.now() - startMs;
    if (!pool.layout) throw BenchRefused({ cause: 'an input of the model has no fixed size, so none can be made up' });
    const feeds = toRaw(probeFeeds(pool.layout, 0, 1));
    const first = await pool.infer(feeds);
    first.release();
    tuner.watch(pool, model);
    await tuner.settled();
    await pool.warm();
    const base = { model: path.basename(file), loadMs, firstUs: Math.round(first.runMs * 1000) };
    onHead({ ...base, plan: pool.plan, optimalBatch: pool.optimalBatch });
    const parts = { pool, feeds, now: settings.now, random: Math.random, forMs };
    await runScenarios(parts, scenarios, settings.latencyLimitMs, onResult);
  } finally {
    tuner.stop();
    await pool.close();
  }
}

const ms = (us: number | null): string => (us === null ? '-' : (us / 1000).toFixed(2));

/** What the model is and how it runs here, for a person. */
export const headLine = ({ model, loadMs, firstUs, plan, optimalBatch }: BenchHead): string =>
  `${model}: opened in ${loadMs.toFixed(0)} ms, first inference ${ms(firstUs)} ms; ` +
  `${plan ? `${plan.workers} x ${plan.threads} threads${plan.spin ? ', spinning' : ''}` : 'as it came'}, batch ${optimalBatch}`;

/** One line for a person. */
export const lineOf = ({ scenario, ratePerS, p50Us, p95Us, p99Us, n, class: kind, limitMs }: ScenarioResult): string =>
  [
    scenario.padEnd(14),
    `${ratePerS.toFixed(1).padStart(9)}/s`,
    `p50 ${n > 0 ? ms(p50Us) : '-'} p95 ${ms(p95Us)} p99 ${ms(p99Us)} ms`,
    `n ${n}`,
    kind,
    ...(limitMs === null ? [] : [`within ${limitMs.toFixed(2)} ms`]),
  ].join('  ');
