/** `espalier-agent bench FILE --runtime litert`: the .tflite of a network, beside its .onnx where that lies there too. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { SessionOptions } from '@espalier/proto';
import { BenchRefused, RuntimeUnavailable } from '../../errors.js';
import { layoutOf } from '../../runtime/layout.js';
import { ModelWorker } from '../../runtime/model-worker.js';
import { ONNX_RUNTIME, runtimeOf, versionHere } from '../../runtime/others.js';
import { probeFeeds } from '../../runtime/probe-feeds.js';
import type { Tensors } from '../../runtime/protocol.js';
import { type LatencySummary, LatencyWindow } from '../latency-window.js';

export interface RuntimeResult extends Omit<LatencySummary, 'histogram'> {
  readonly model: string;
  readonly adapter: string;
  readonly version: string;
  readonly openMs: number;
}

export interface RuntimeResults {
  readonly results: readonly RuntimeResult[];
  /** p50 of ONNX Runtime / p50 of LiteRT; null when the .onnx is not there. */
  readonly ratio: number | null;
}

const ROUND_MS = 200;
const FEWEST_RUNS = 10;

interface Lane {
  readonly file: string;
  readonly worker: ModelWorker;
  readonly feeds: Tensors;
  readonly openMs: number;
  readonly window: LatencyWindow;
}

async function openLane(file: string): Promise<Lane> {
  const fromMs = performance.now();
  const worker = await ModelWorker.open(file, SessionOptions.parse({}));
  const layout = layoutOf(worker.inputs, worker.outputs);
  if (!layout) {
    await worker.close();
    throw BenchRefused({ cause: 'an input of the model has no fixed size, so none can be made up' });
  }
  const openMs = Math.round(performance.now() - fromMs);
  return { file, worker, feeds: probeFeeds(layout, 0, 1), openMs, window: new LatencyWindow() };
}

/**
 * Single-stream, one thread each, in rounds that take turns, so that both see the same machine.
 * @throws ESP_BENCH_REFUSED, ESP_RUNTIME_UNAVAILABLE, ESP_MODEL_LOAD_FAILED
 */
export async function benchRuntimes(file: string, seconds: number): Promise<RuntimeResults> {
  const { dir, name } = path.parse(file);
  const [tflite, onnx] = ['.tflite', '.onnx'].map((ending) => path.join(dir, `${name}${ending}`)) as [string, string];
  if (!existsSync(tflite)) throw BenchRefused({ cause: `there is no ${tflite}` });
  const lanes: Lane[] = [];
  try {
    for (const one of existsSync(onnx) ? [onnx, tflite] : [tflite]) lanes.push(await openLane(one));
    for (const { worker, feeds } of lanes) await worker.measure(feeds, FEWEST_RUNS, ROUND_MS);
    const untilMs = performance.now() + seconds * 1000;
    do {
      for (const { worker, feeds, window } of lanes)
        for (const ms of await worker.measure(feeds, FEWEST_RUNS, ROUND_MS)) window.record(ms * 1000);
    } while (performance.now() < untilMs);
  } finally {
    for (const { worker } of lanes) await worker.close();
  }
  const results = lanes.map(({ file: one, openMs, window }) => {
    const { histogram: _, ...figures } = window.summary();
    return { model: path.basename(one), ...runtimeOf(one), openMs, ...figures };
  });
  const [first, second] = results;
  return { results, ratio: first && second ? first.p50Us / second.p50Us : null };
}

/** No XNNPACK is behind ONNX Runtime as npm has it. @throws ESP_RUNTIME_UNAVAILABLE, always, with what there is */
export async function refuseXnnpack(): Promise<never> {
  const { listSupportedBackends } = (await import('onnxruntime-node')).default;
  const names = listSupportedBackends().map(({ name }) => name);
  const has = names.includes('xnnpack') ? 'the agent has not been tried with its' : 'has no such';
  const cause = `onnxruntime-node ${versionHere(ONNX_RUNTIME)} ${has} provider (it lists ${names.join(', ')})`;
  throw RuntimeUnavailable({ runtime: 'XNNPACK', cause });
}

const ms = (us: number | null): string => (us === null ? '-' : (us / 1000).toFixed(3));

/** One line for a person. */
export const runtimeLine = ({ model, adapter, version, openMs, p50Us, p95Us, p99Us, n }: RuntimeResult): string =>
  `${model}: ${adapter} ${version}, opened in ${openMs} ms, p50 ${ms(p50Us)} p95 ${ms(p95Us)} p99 ${ms(p99Us)} ms  n ${n}`;
