/** `espalier-agent bench FILE.onnx --runtime tensorrt`: trtexec's own figures, marked as such: they are not the agent's. */
import path from 'node:path';
import { measureEngine } from '../../runtime/tensorrt/engine.js';
import { hashFile } from '../../store/store.js';
import { type LatencySummary, LatencyWindow } from '../latency-window.js';

export interface TensorRtResult extends Omit<LatencySummary, 'histogram'> {
  readonly model: string;
  readonly source: 'trtexec';
  readonly version: string;
  readonly command: string;
  readonly built: boolean;
}

/** @param folder where engines are kept @throws ESP_RUNTIME_UNAVAILABLE */
export async function benchTensorRt(file: string, folder: string, seconds: number): Promise<TensorRtResult> {
  const digest = await hashFile(file, new AbortController().signal);
  const { samplesUs, ...said } = await measureEngine(file, digest, { folder, seconds });
  const window = new LatencyWindow();
  for (const sample of samplesUs) window.record(sample);
  const { histogram: _, ...figures } = window.summary();
  return { model: path.basename(file), source: 'trtexec', ...said, ...figures };
}

const ms = (us: number | null): string => (us === null ? '-' : (us / 1000).toFixed(2));

/** One line for a person. */
export const tensorRtLine = ({ model, version, p50Us, p95Us, p99Us, n }: TensorRtResult): string =>
  `${model}: TensorRT ${version} by trtexec, p50 ${ms(p50Us)} p95 ${ms(p95Us)} p99 ${ms(p99Us)} ms  n ${n}`;
