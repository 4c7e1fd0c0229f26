/** What server and models say of themselves, in the protocol's JSON; gRPC says the same in its messages. */
import type { TensorSpec } from '@espalier/proto';
import { AGENT_VERSION } from '../version.js';
import type { Served, Serving } from './serving.js';
import { datatypeOf } from './tensors.js';

export const EXTENSIONS = [
  'binary_tensor_data',
  'statistics',
  'model_configuration',
  'system_shared_memory',
  'parameters',
] as const;

export const serverMetadata = (serving: Serving) => ({
  ...{ name: 'espalier-agent', version: AGENT_VERSION, extensions: [...EXTENSIONS] },
  models: serving.served ? [serving.served.name] : [],
});

const PLATFORMS: Readonly<Record<string, string>> = { onnxruntime: 'onnxruntime_onnx', litert: 'litert_tflite' };
const platformOf = ({ pool }: Pick<Served, 'pool'>): string => PLATFORMS[pool.runtime.adapter] ?? pool.runtime.adapter;

// The protocol writes -1 for what may vary.
const dims = ({ shape }: TensorSpec): number[] => shape.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : -1));

export function modelMetadata({ name, version, pool }: Served) {
  const tensor = (spec: TensorSpec) => ({ name: spec.name, datatype: datatypeOf(spec.type), shape: dims(spec) });
  return {
    ...{ name, versions: [version], platform: platformOf({ pool }) },
    ...{ inputs: pool.inputs.map(tensor), outputs: pool.outputs.map(tensor) },
  };
}

/** As clients that generate load read it [Triton model configuration]: what a batch may hold, and what was found best. */
export function modelConfig({ name, pool }: Served) {
  const largest = pool.largestBatch;
  const tensor = (spec: TensorSpec) => ({
    ...{ name: spec.name, data_type: `TYPE_${datatypeOf(spec.type)}` },
    dims: largest > 0 ? dims(spec).slice(1) : dims(spec),
  });
  return {
    ...{ name, platform: platformOf({ pool }), max_batch_size: largest },
    ...{ input: pool.inputs.map(tensor), output: pool.outputs.map(tensor) },
    parameters: { optimal_batch_size: { string_value: String(pool.optimalBatch) } },
  };
}

const duration = ({ count, ms }: { readonly count: number; readonly ms: number }) => ({
  count,
  ns: Math.round(ms * 1e6),
});
const none = { count: 0, ns: 0 };

/** @see Triton statistics extension; batch sizes are those that ran. Also what was learnt of this device. */
export function modelStatistics({ name, version, pool }: Served) {
  const { success, fail, queue, infer, batches, inferences, executions, lastMs, dropped, exits } = pool.statistics;
  return {
    ...{ name, version, last_inference: lastMs, inference_count: inferences, execution_count: executions },
    inference_stats: {
      ...{ success: duration(success), fail: duration(fail), queue: duration(queue) },
      ...{ compute_input: none, compute_infer: duration(infer), compute_output: none },
      ...{ cache_hit: none, cache_miss: none },
    },
    batch_stats: [...batches]
      .sort(([a], [b]) => a - b)
      .map(([size, count]) => ({
        ...{ batch_size: size, compute_input: none, compute_infer: duration(count), compute_output: none },
      })),
    ...(exits.length > 0 ? { exit_stats: exits.map((count, stage) => ({ stage, count })) } : {}),
    scheduling: {
      ...{ optimal_batch_size: pool.optimalBatch, drift: pool.curve?.drift ?? 1, dropped, queued: pool.queued },
      ...{ runtime: pool.runtime, plan: pool.plan },
      latency_ms: Object.fromEntries(pool.curve?.sizes.map((size) => [size, pool.curve?.latencyMs(size)]) ?? []),
    },
  };
}
