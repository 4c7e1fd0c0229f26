/** Real values a tensor took; `min <= 0 <= max` once {@link withZero} was applied. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * x = (q - zero) * scale, q in [0, 255], or [0, 65535]. `scale` is exactly a float32. int8 tensors hold q - 128 with the
 * zero point zero - 128: the same numbers.
 */
export interface Affine {
  readonly scale: number;
  readonly zero: number;
}

/** Largest number of 8 bits. */
export const QMAX = 255;
/** Largest number of 16 bits. */
export const QMAX_WIDE = 65535;

/** Zero must be exact: paddings and absorbed activations rely on it. */
export const withZero = ({ min, max }: Range): Range => ({ min: Math.min(min, 0), max: Math.max(max, 0) });

/**
 * Unsigned parameters of a range: s = (max - min) / qmax, zp = round(-min / s). A tensor that is always 0 gets scale 1:
 * every scale stays finite and positive. Symmetric: s = max|x| / 127 (or 32767), zp in the middle.
 */
export function affineOf(range: Range, symmetric = false, qmax = QMAX): Affine {
  const { min, max } = withZero(range);
  if (symmetric) {
    const middle = (qmax + 1) / 2;
    const scale = Math.fround(Math.max(-min, max) / (middle - 1));
    return { scale: scale > 0 && Number.isFinite(scale) ? scale : 1, zero: middle };
  }
  const scale = Math.fround((max - min) / qmax);
  if (!(scale > 0) || !Number.isFinite(scale)) return { scale: 1, zero: 0 };
  return { scale, zero: Math.min(qmax, Math.max(0, Math.round(-min / scale))) };
}

/** Doubles from here to twice as far lie one apart: adding it rounds half to even [IEEE 754, 4.3.1]. */
const WHOLE = 1.5 * 2 ** 52;

/** The nearest even integer at ties, as ONNX and the hardware round [QuantizeLinear-13]. */
export const roundHalfEven = (value: number): number =>
  Math.abs(value) < 2 ** 51 ? value + WHOLE - WHOLE : Math.round(value);

export const saturate = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

/** float32 to unsigned numbers with these parameters. */
export const quantizeUnsigned = (values: Float32Array, { scale, zero }: Affine, qmax: number): Uint16Array =>
  Uint16Array.from(values, (value) => saturate(roundHalfEven(value / scale) + zero, 0, qmax));
