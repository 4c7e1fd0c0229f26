/** MLPerf's four scenarios on a loaded model, in this process: what the device can do, without a network in between. */
import type { WindowClass } from '@espalier/proto';
import { benchmark, spreadAt, WINDOWS_TO_AGREE } from '../../runtime/benchmark.js';
import type { ModelPool } from '../../runtime/model-pool.js';
import type { InputTensors } from '../../runtime/values.js';
import { chooseWindows } from '../choose-windows.js';
import { classify, readConditions } from '../conditions.js';
import { type LatencySummary, LatencyWindow } from '../latency-window.js';
import { openLoop } from './open-loop.js';

export const SCENARIOS = ['single-stream', 'multi-stream', 'offline', 'server'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export interface ScenarioResult extends LatencySummary {
  readonly scenario: Scenario;
  readonly class: WindowClass;
  /** Inferences a second. */
  readonly ratePerS: number;
  /** Requests under way at once; for the server the rate says it. */
  readonly streams: number | null;
  /** The latency that the server scenario had to keep in 99 of 100 requests, milliseconds. */
  readonly limitMs: number | null;
}

export interface BenchParts {
  readonly pool: ModelPool;
  readonly feeds: InputTensors;
  readonly now: () => number;
  readonly random: () => number;
  /** Milliseconds for each scenario. */
  readonly forMs: number;
}

const STREAMS = 8;
const WINDOW_RUNS = 60;
const NO_LIMIT = { deadlineMs: Number.POSITIVE_INFINITY };

const send = async (
  { pool, feeds }: BenchParts,
  deadlineMs = NO_LIMIT.deadlineMs,
  arrivedMs?: number,
): Promise<void> => {
  const { release } = await pool.infer(feeds, { deadlineMs, ...(arrivedMs === undefined ? {} : { arrivedMs }) });
  release();
};

/** Queries of so many inferences each, one query after another; the latency is that of the whole query. */
async function streams(parts: BenchParts, scenario: Scenario, count: number): Promise<ScenarioResult> {
  const { now } = parts;
  const timed = async (runs: number): Promise<number[]> => {
    const timesUs: number[] = [];
    for (let run = 0; run < runs; run++) {
      const fromMs = now();
      await Promise.all(Array.from({ length: count }, () => send(parts)));
      timesUs.push((now() - fromMs) * 1000);
    }
    return timesUs;
  };
  const before = readConditions();
  const { windows } = await benchmark(timed, { limitMs: parts.forMs, windowRuns: WINDOW_RUNS }, now);
  const { samplesUs, steady } = chooseWindows(windows);
  const window = new LatencyWindow();
  for (const sample of samplesUs) window.record(sample);
  const meanUs = samplesUs.reduce((sum, sample) => sum + sample, 0) / samplesUs.length;
  return {
    ...{ scenario, ...window.summary(), class: classify(before, readConditions(), steady) },
    ...{ ratePerS: (count * 1e6) / meanUs, streams: count, limitMs: null },
  };
}

/** Everything is there at once: enough is kept under way that no worker ever waits; the rate counts. */
async function offline(parts: BenchParts): Promise<ScenarioResult> {
  const { now, pool, forMs } = parts;
  const width = 4 * Math.max(1, pool.plan?.workers ?? 1) * pool.optimalBatch;
  const before = readConditions();
  const total = new LatencyWindow();
  const rates: number[] = [];
  const spans: number[][] = [];
  for (let window = 0; window < WINDOWS_TO_AGREE; window++) {
    const startMs = now();
    const ends: number[] = [];
    const worker = async (): Promise<void> => {
      while (now() - startMs < forMs / WINDOWS_TO_AGREE) {
        const fromMs = now();
        await send(parts);
        total.record((now() - fromMs) * 1000);
        ends.push(now());
      }
    };
    await Promise.all(Array.from({ length: width }, worker));
    const rate = (ends.length * 1000) / (ends.at(-1)! - startMs);
    rates.push(rate);
    spans.push([1e6 / rate]);
  }
  const isSteady = spreadAt(spans, 0.5) <= 1.1;
  const result = classify(before, readConditions(), { p50: isSteady, p95: isSteady });
  const ratePerS = rates.toSorted((a, b) => a - b)[1]!;
  return { scenario: 'offline', ...total.summary(), class: result, ratePerS, streams: width, limitMs: null };
}

const SEARCH_STEPS = 6;
const IN_TIME = 0.99;
/** Fewer say nothing about the hundredth. */
const FEWEST = 100;

/** The highest rate of Poisson arrivals at which 99 of 100 requests are answered within the limit, by halving. */
async function server(parts: BenchParts, limitMs: number, highest: number): Promise<ScenarioResult> {
  const { now, random, forMs } = parts;
  const before = readConditions();
  let [low, high] = [0, highest];
  let best: ScenarioResult | null = null;
  for (let step = 0; step < SEARCH_STEPS; step++) {
    const ratePerS = step === 0 ? 0.8 * highest : (low + high) / 2;
    const spanMs = Math.max(forMs / SEARCH_STEPS, (FEWEST * 1000) / ratePerS);
    const answer = (arrivedMs: number): Promise<void> => send(parts, arrivedMs + limitMs, arrivedMs);
    const { window, sent, refused, late } = await openLoop(answer, { ratePerS, forMs: spanMs, now, random }, limitMs);
    if (sent - refused - late < IN_TIME * sent) high = ratePerS;
    else {
      low = ratePerS;
      best = { scenario: 'server', ...window.summary(), class: 'clean', ratePerS, streams: null, limitMs };
    }
  }
  const nothing = {
    ...new LatencyWindow().summary(),
    scenario: 'server',
    ratePerS: 0,
    streams: null,
    limitMs,
  } as const;
  return { ...(best ?? nothing), class: classify(before, readConditions(), { p50: true, p95: true }) };
}

/** Runs scenarios in MLPerf's order. @param limitMs what the server scenario must keep; by default 4 times one inference */
export async function runScenarios(
  parts: BenchParts,
  wanted: readonly Scenario[],
  limitMs: number | null,
  onResult: (result: ScenarioResult) => void,
): Promise<void> {
  const single = await streams(parts, 'single-stream', 1);
  if (wanted.includes('single-stream')) onResult(single);
  if (wanted.includes('multi-stream')) onResult(await streams(parts, 'multi-stream', STREAMS));
  if (!wanted.includes('offline') && !wanted.includes('server')) return;
  const most = await offline(parts);
  if (wanted.includes('offline')) onResult(most);
  if (wanted.includes('server')) onResult(await server(parts, limitMs ?? (4 * single.p50Us) / 1000, most.ratePerS));
}
