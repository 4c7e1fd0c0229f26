/** Real values a tensor took; `min <= 0 <= max` once {@link withZero} was applied. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * x = (q - zero) * scale, q in [0, 255]. `scale` is exactly a float32. int8 tensors hold q - 128 with the zero point
 * zero - 128: the same numbers.
 */
export interface Affine {
  readonly scale: number;
  readonly zero: number;
}

const QMAX = 255;
const MIDDLE = 128;
const SYMMETRIC_MAX = 127;

/** Zero must be exact: paddings and absorbed activations rely on it. */
export const withZero = ({ min, max }: Range): Range => ({ min: Math.min(min, 0), max: Math.max(max, 0) });

/**
 * uint8 parameters of a range: s = (max - min) / 255, zp = round(-min / s). A tensor that is always 0 gets scale 1:
 * every scale stays finite and positive. Symmetric: s = max|x| / 127, zp in the middle.
 */
export function affineOf(range: Range, symmetric = false): Affine {
  const { min, max } = withZero(range);
  if (symmetric) {
    const scale = Math.fround(Math.max(-min, max) / SYMMETRIC_MAX);
    return { scale: scale > 0 && Number.isFinite(scale) ? scale : 1, zero: MIDDLE };
  }
  const scale = Math.fround((max - min) / QMAX);
  if (!(scale > 0) || !Number.isFinite(scale)) return { scale: 1, zero: 0 };
  return { scale, zero: Math.min(QMAX, Math.max(0, Math.round(-min / scale))) };
}

/** The nearest even integer at ties, as ONNX and the hardware round [QuantizeLinear-13]. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

export const saturate = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

/** float32 to uint8 with these parameters. */
export const quantizeUint8 = (values: Float32Array, { scale, zero }: Affine): Uint8Array =>
  Uint8Array.from(values, (value) => saturate(roundHalfEven(value / scale) + zero, 0, QMAX));
