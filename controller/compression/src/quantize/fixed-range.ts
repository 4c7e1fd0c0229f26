import { QMAX, QMAX_WIDE, type Range } from './affine.js';

/** Ranges that kernels have built in are one step short of a power of two: the step of 16 bits is finer. */
export const finer = ({ min, max }: Range): Range => ({
  min,
  max: min + ((max - min) * ((QMAX + 1) / QMAX) * QMAX_WIDE) / (QMAX_WIDE + 1),
});
