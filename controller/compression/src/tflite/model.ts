import type { Field, OperatorName, TensorType } from './schema.js';

/** Real value = (stored - zero) * scale. */
export interface Quantization {
  readonly scale: number;
  readonly zero: number;
}

export interface TfliteTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** Little-endian elements of a constant. */
  readonly data?: Uint8Array;
  /** One scale and zero point, or one for each index of `axis`. */
  readonly quantization?: {
    readonly scales: readonly number[];
    readonly zeros: readonly number[];
    readonly axis: number;
  };
}

/** Operands and results are indices into the model's tensors. */
export interface TfliteOperator {
  readonly name: OperatorName;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly fields: readonly Field[];
  readonly version?: number;
}

/** A model of one subgraph, ready to be written. */
export interface TfliteModel {
  readonly tensors: readonly TfliteTensor[];
  readonly operators: readonly TfliteOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly description: string;
}
