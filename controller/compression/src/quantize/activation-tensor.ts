import type { HardwareProfile } from '../hardware/profile.js';
import { int8Tensor, type Tensor, uint8Tensor } from '../onnx/tensor.js';

export type ActivationType = HardwareProfile['scheme']['activations'];

/** How far int8 lies below uint8: the same numbers, shifted. */
const OFFSET = 128;

/** Quantized values or zero points, given as uint8, in the type of the profile's activations. */
export const activationTensor = (type: ActivationType, dims: readonly number[], values: Uint8Array): Tensor =>
  type === 'uint8'
    ? uint8Tensor(dims, values)
    : int8Tensor(
        dims,
        Int8Array.from(values, (value) => value - OFFSET),
      );
