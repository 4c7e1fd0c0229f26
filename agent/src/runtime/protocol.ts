/** What main thread and worker say to each other. Batches lie in shared memory (doorbell.ts); other tensors are transferred. */
import type { SessionOptions, TensorSpec } from '@espalier/proto';
import type { RowSpec } from './layout.js';

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

/** A slab as a worker sees it; told once, then named by its id. */
export interface SharedSlab {
  readonly id: number;
  readonly inputs: readonly { readonly row: RowSpec; readonly buffer: SharedArrayBuffer }[];
  readonly outputs: readonly { readonly row: RowSpec; readonly buffer: SharedArrayBuffer }[];
}

export type Request =
  | {
      readonly kind: 'load';
      readonly file: string;
      readonly options: SessionOptions;
      readonly saveTo: string | undefined;
    }
  | { readonly kind: 'run'; readonly feeds: Tensors }
  | { readonly kind: 'share'; readonly slab: SharedSlab }
  /** Repeats one run, at least `runs` times and until `forMs` are over. */
  | { readonly kind: 'measure'; readonly feeds: Tensors; readonly runs: number; readonly forMs: number }
  | { readonly kind: 'ping' }
  | { readonly kind: 'close' };

export type Reply =
  /** `pid` is the process that computes, where it is one of its own. */
  | { readonly kind: 'loaded'; readonly inputs: TensorSpec[]; readonly outputs: TensorSpec[]; readonly pid?: number }
  | { readonly kind: 'outputs'; readonly outputs: Tensors }
  | { readonly kind: 'measured'; readonly timesMs: readonly number[] }
  | { readonly kind: 'done' }
  /** `lacks` names a runtime that this device has not, and why. */
  | {
      readonly kind: 'failed';
      readonly message: string;
      readonly lacks?: { readonly runtime: string; readonly cause: string };
    };

/** All that is said of a batch whose outputs lie in its slab; the number of every other answer to a batch. */
export const BATCH_DONE = 0;

export type Numbered<T> = T & { readonly id: number };
