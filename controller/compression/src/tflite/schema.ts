/**
 * The part of TensorFlow Lite's schema that full-integer networks need. Numbers are from LiteRT's
 * tflite/converter/schema/schema.fbs (version 3): codes of BuiltinOperator, tags of BuiltinOptions, and, as `slot`,
 * the order of a table's fields. Operator versions are those of int8 in tflite/tools/versioning/op_version.cc.
 */

/** The four bytes after the root offset, and the value of Model.version. */
export const FILE_IDENTIFIER = 'TFL3';
export const SCHEMA_VERSION = 3;

export const TENSOR_TYPE = { float32: 0, int32: 2, int8: 9 } as const;
export type TensorType = keyof typeof TENSOR_TYPE;

interface OperatorFacts {
  readonly code: number;
  /** For int8 operands. */
  readonly version: number;
  /** Tag of the options table; 0: it has none. */
  readonly options: number;
}

export const OPERATORS = {
  ADD: { code: 0, version: 2, options: 11 },
  AVERAGE_POOL_2D: { code: 1, version: 2, options: 5 },
  CONCATENATION: { code: 2, version: 2, options: 10 },
  CONV_2D: { code: 3, version: 3, options: 1 },
  DEQUANTIZE: { code: 6, version: 2, options: 0 },
  DEPTHWISE_CONV_2D: { code: 4, version: 3, options: 2 },
  FULLY_CONNECTED: { code: 9, version: 4, options: 8 },
  HARD_SWISH: { code: 117, version: 1, options: 91 },
  LOGISTIC: { code: 14, version: 2, options: 0 },
  MAX_POOL_2D: { code: 17, version: 2, options: 5 },
  MEAN: { code: 40, version: 2, options: 27 },
  MUL: { code: 18, version: 2, options: 21 },
  PAD: { code: 34, version: 2, options: 22 },
  QUANTIZE: { code: 114, version: 2, options: 89 },
  RELU: { code: 19, version: 2, options: 0 },
  RESHAPE: { code: 22, version: 1, options: 17 },
  SOFTMAX: { code: 25, version: 2, options: 9 },
  TRANSPOSE: { code: 39, version: 2, options: 26 },
} as const satisfies Record<string, OperatorFacts>;
export type OperatorName = keyof typeof OPERATORS;

/** A FULLY_CONNECTED whose weights have a scale a channel is of a later version. */
export const PER_CHANNEL_FULLY_CONNECTED = 12;

export const PADDING = { SAME: 0, VALID: 1 } as const;

/** One scalar or vector of an options table. What is not written has the schema's default. */
export type Field =
  | { readonly slot: number; readonly type: 'int8' | 'int32' | 'float32'; readonly value: number }
  | { readonly slot: number; readonly type: 'int32s'; readonly value: readonly number[] };

const int8 = (slot: number, value: number): Field => ({ slot, type: 'int8', value });
const int32 = (slot: number, value: number): Field => ({ slot, type: 'int32', value });

/** Sizes are [height, width]; the schema wants the width first. */
export interface WindowFields {
  readonly padding: number;
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
}

export const convFields = ({ padding, strides, dilations }: WindowFields): Field[] => [
  ...[int8(0, padding), int32(1, strides[1]), int32(2, strides[0])],
  ...[int32(4, dilations[1]), int32(5, dilations[0])],
];
export const depthwiseFields = ({ padding, strides, dilations }: WindowFields, multiplier: number): Field[] => [
  ...[int8(0, padding), int32(1, strides[1]), int32(2, strides[0]), int32(3, multiplier)],
  ...[int32(5, dilations[1]), int32(6, dilations[0])],
];
export const poolFields = ({ padding, strides }: WindowFields, kernel: readonly [number, number]): Field[] => [
  ...[int8(0, padding), int32(1, strides[1]), int32(2, strides[0])],
  ...[int32(3, kernel[1]), int32(4, kernel[0])],
];
export const reshapeFields = (shape: readonly number[]): Field[] => [{ slot: 0, type: 'int32s', value: shape }];
export const concatFields = (axis: number): Field[] => [int32(0, axis)];
export const keepDims: readonly Field[] = [int8(0, 1)];
export const softmaxFields: readonly Field[] = [{ slot: 0, type: 'float32', value: 1 }];
