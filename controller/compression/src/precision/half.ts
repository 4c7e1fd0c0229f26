/** float32 to IEEE half precision. */
import { bytesOf, floatsOf, type Tensor, Type } from '../onnx/tensor.js';

/** Largest finite half. */
export const HALF_MAX = 65504;
const BIAS_DIFFERENCE = 112;
const FRACTION_BITS = 13;

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The bits of the nearest half, ties to even; beyond the largest half, infinity.   [IEEE 754-2019, binary16] */
export function halfBits(value: number): number {
  word[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const magnitude = bits[0]! & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  const exponent = (magnitude >>> 23) - BIAS_DIFFERENCE;
  if (exponent >= 31) return sign | 0x7c00;
  if (exponent <= 0) {
    // Subnormal: whole steps of 2^-24, which a float32 divides exactly.
    const steps = Math.abs(value) * 2 ** 24;
    const floor = Math.floor(steps);
    const rest = steps - floor;
    return sign | (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor);
  }
  const half = (exponent << 10) | ((magnitude & 0x7fffff) >>> FRACTION_BITS);
  const rest = magnitude & 0x1fff;
  // A carry out of the fraction raises the exponent, which is what rounding up there means.
  return sign | (rest > 0x1000 || (rest === 0x1000 && half % 2 === 1) ? half + 1 : half);
}

/** A FLOAT tensor as FLOAT16. */
export const halfTensor = (tensor: Tensor): Tensor => ({
  type: Type.FLOAT16,
  dims: tensor.dims,
  bytes: bytesOf(Uint16Array.from(floatsOf(tensor)!, halfBits)),
});
