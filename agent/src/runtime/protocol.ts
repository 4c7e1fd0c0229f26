/** What main thread and worker say to each other. Tensors travel as typed arrays and are transferred, not copied. */
import type { SessionOptions, TensorSpec } from '@espalier/proto';

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor between threads: ONNX type name, shape, values in row-major order. */
export interface TensorValue {
  readonly type: string;
  readonly shape: readonly number[];
  readonly data: TensorData;
}
export type Tensors = Readonly<Record<string, TensorValue>>;

/** Latencies of repeated runs on one thread, microseconds, in the order they ran. */
export interface BenchmarkResult {
  readonly coldUs: number;
  readonly windows: readonly (readonly number[])[];
}

export interface BenchmarkPlan {
  readonly feeds: Tensors;
  readonly limitMs: number;
  readonly windowRuns: number;
}

export type Request =
  | { readonly kind: 'load'; readonly file: string; readonly options: SessionOptions }
  | { readonly kind: 'run'; readonly feeds: Tensors }
  | { readonly kind: 'benchmark'; readonly plan: BenchmarkPlan }
  | { readonly kind: 'ping' }
  | { readonly kind: 'close' };

export type Reply =
  | { readonly kind: 'loaded'; readonly inputs: TensorSpec[]; readonly outputs: TensorSpec[] }
  | { readonly kind: 'outputs'; readonly outputs: Tensors }
  | { readonly kind: 'benchmarked'; readonly result: BenchmarkResult }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string };

export type Numbered<T> = T & { readonly id: number };
