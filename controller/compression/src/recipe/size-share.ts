/** What a network may keep so that its int8 file is as small as asked for. Pure. */

/** Aligned widths and what stays in float take so much of the room that is left. */
const ROUNDING = 0.02;

/** No network is cut below this share. */
const LEAST_SHARE = 0.02;

/** Bytes of two files of one network, and the part of the second that its widths decide. */
export interface Sizes {
  readonly floatBytes: number;
  readonly int8Bytes: number;
  readonly byWidths: number;
}

/**
 * The share of what widths decide that an int8 build may keep to be so many times smaller than float: what the file holds
 * beside it stays. Null where int8 alone is small enough, or no size was asked for.
 */
export function sizeShareFor(sizeRatio: number | null, { floatBytes, int8Bytes, byWidths }: Sizes): number | null {
  if (sizeRatio === null || int8Bytes * sizeRatio <= floatBytes) return null;
  const beside = Math.max(0, int8Bytes - byWidths);
  const room = floatBytes / sizeRatio - beside;
  return Math.max(LEAST_SHARE, ((1 - ROUNDING) * room) / byWidths);
}
