import type { HardwareProfile } from '../hardware/profile.js';
import { bytesOf, type Tensor, Type } from '../onnx/tensor.js';
import { QMAX, QMAX_WIDE } from './affine.js';

export type ActivationType = HardwareProfile['scheme']['activations'];

type Numbers = readonly number[];

/** How each type holds unsigned numbers: signed ones are the same, shifted by half of the range. */
const TYPES = {
  uint8: { type: Type.UINT8, from: (all: Numbers) => Uint8Array.from(all), offset: 0, qmax: QMAX },
  int8: { type: Type.INT8, from: (all: Numbers) => Int8Array.from(all), offset: 128, qmax: QMAX },
  uint16: { type: Type.UINT16, from: (all: Numbers) => Uint16Array.from(all), offset: 0, qmax: QMAX_WIDE },
  int16: { type: Type.INT16, from: (all: Numbers) => Int16Array.from(all), offset: 32768, qmax: QMAX_WIDE },
} as const;

/** Largest unsigned number of a type. */
export const qmaxOf = (type: ActivationType): number => TYPES[type].qmax;

/** Quantized values or zero points, given as unsigned numbers, in the type of the profile's activations. */
export function activationTensor(type: ActivationType, dims: readonly number[], values: ArrayLike<number>): Tensor {
  const { type: stored, from, offset } = TYPES[type];
  return { type: stored, dims, bytes: bytesOf(from(Array.from(values, (value) => value - offset))) };
}

/** Q and DQ of 16 bits are standard from here on; before, they are the runtime's own.   [ONNX QuantizeLinear-21] */
const WIDE_OPSET = 21;

/** Domain of the QuantizeLinear and DequantizeLinear of a type in an operator set. */
export const quantizerDomain = (type: ActivationType, opset: number): string =>
  TYPES[type].qmax > QMAX && opset < WIDE_OPSET ? 'com.microsoft' : '';
